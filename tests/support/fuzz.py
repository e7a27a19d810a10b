"""Lets atheris look for bytes that break a target: `python -m support.fuzz TARGET SECONDS FOLDER`.

What breaks a promise lies in FOLDER as `crash-...`, what led further in `FOLDER/corpus`.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mizzen_gateway"]):
    from support.fuzz_targets import TARGETS, seeds

from support.fuzz_corpus import kept
from support.fuzz_mutations import WORDS

LONGEST_WORD = 64


def main(target: str, seconds: int, folder: Path) -> None:
    """Ends the process: code 0 where nothing was found."""
    begin = folder / "corpus"
    begin.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate((*seeds(target), *kept(target))):
        (begin / f"seed-{number}").write_bytes(data)
    dictionary = folder / "words"
    quoted = (word.hex(" ").replace(" ", r"\x") for word in WORDS if len(word) < LONGEST_WORD)
    dictionary.write_text("".join(rf'"\x{word}"' + "\n" for word in quoted))
    words = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-artifact_prefix={folder}/",
        f"-dict={dictionary}",
        "-max_len=4096",
        "-timeout=20",
        "-print_final_stats=1",
        str(begin),
    ]
    atheris.Setup(words, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
