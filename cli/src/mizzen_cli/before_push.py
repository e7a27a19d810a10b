"""Is what a person is about to push something that the registry takes? Told before any byte is sent."""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from mizzen_crds.field_words import PATTERN_WORDS
from mizzen_crds.names import ALIAS_PATTERN, LONGEST_NAME, MODEL_NAME_PATTERN

from mizzen_cli.artifact import LocalFile
from mizzen_cli.errors import CommandError, ExitCode

HOW_TO = "docs/how-to/push-your-own-model.md"
_NEVER_PICKLES = frozenset({"ONNX", "Safetensors", "GGUF", "TorchScript", ""})
"""Formats of which no file is a bare pickle, whatever a project allows; empty: nobody can tell the format."""
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib"})


def check_model_name(text: str) -> None:
    """Raises CommandError for a name that no model may have."""
    _check_name("MODEL", text, MODEL_NAME_PATTERN)


def check_alias(text: str, option: str = "--alias") -> None:
    """Raises CommandError for a name that no alias may have."""
    _check_name(option, text, ALIAS_PATTERN)


def _check_name(option: str, text: str, pattern: str) -> None:
    if not re.fullmatch(pattern, text):
        raise CommandError(f"{option} {text!r}: {PATTERN_WORDS[pattern]}.", ExitCode.USAGE)
    if len(text) > LONGEST_NAME:
        raise CommandError(
            f"{option}: must have at most {LONGEST_NAME} characters; it has {len(text)}.", ExitCode.USAGE
        )


def refuse_pickles(files: Iterable[LocalFile], format_name: str) -> None:
    """Raises CommandError where a file is a pickle and `format_name` never is one.

    A TritonRepository may carry code where the project allows it: there the registry decides.
    """
    if format_name not in _NEVER_PICKLES:
        return
    for file in files:
        if is_pickle(file.source):
            raise CommandError(
                f"{file.path} is a pickle: a program that runs when it is loaded, and no format that Mizzen serves. "
                "Convert the model where you trained it: scikit-learn with skl2onnx.to_onnx, PyTorch with "
                "torch.onnx.export (or safetensors.torch.save_file for a language model's weights), XGBoost and "
                f"LightGBM with onnxmltools. {HOW_TO} shows it step by step.",
                ExitCode.USAGE,
            )


def is_pickle(file: Path) -> bool:
    """Whether a file is a pickle, by its first bytes, or an archive of pickles as torch.save writes it."""
    with file.open("rb") as stream:
        head = stream.read(9)
    if file.suffix == ".safetensors" and head[8:] == b"{":
        return False  # it begins with the length of its header, whose bytes may look like a pickle's mark
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if head[:4] == b"PK\x03\x04":
        names = _names_in(file)
        return "data.pkl" in names and "constants.pkl" not in names
    # Older protocols have no mark, and joblib may compress: there the name tells.
    return file.suffix.lower() in _PICKLE_SUFFIXES


def _names_in(archive: Path) -> list[str]:
    """Paths below the archive's one folder; none where it is damaged: that is the registry's to say."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return [name.partition("/")[2] for name in opened.namelist()]
    except zipfile.BadZipFile:
        return []
