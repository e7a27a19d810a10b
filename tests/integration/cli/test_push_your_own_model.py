"""The page on pushing a model of one's own: its program runs, and what it makes is pushed and shown as told there."""

import re
import subprocess
import sys
from pathlib import Path

import orjson
from support.command_line import CommandLine

PAGE = Path(__file__).parents[3] / "docs/how-to/push-your-own-model.md"


def test_the_program_of_the_page_makes_a_model_that_is_pushed_with_the_signature_that_it_tells(
    mizzen: CommandLine, tmp_path: Path
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    assert mizzen("models", "push", "house", tmp_path / "house", "--alias", "champion", "-o", "name").out == "1\n"
    shown = mizzen("models", "show", "house@champion").out
    for line in ("Input:      features FP32 [N, 2]", "Output:     variable FP32 [N, 1]"):
        assert line in shown
    assert "features FP32 [N, 2]" in PAGE.read_text()
    assert orjson.loads((tmp_path / "house/metadata.json").read_bytes())["r2"] > 0.9


def test_every_mizzen_command_of_the_page_exists(mizzen: CommandLine) -> None:
    named = set(re.findall(r"^mizzen ([a-z]+(?: [a-z]+)?)", PAGE.read_text(), re.MULTILINE))
    assert "models push" in named
    for words in named:
        group = words.split()
        assert mizzen(*(group if group[0] in {"models", "projects"} else group[:1]), "--help").code == 0
