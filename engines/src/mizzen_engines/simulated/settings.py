"""What does a simulated engine look like? Speeds, limits and faults, from flags or MIZZEN_SIM_* variables."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Settings:
    """One simulated engine. Each field is also a flag (`--decode-ms`) and a variable (`MIZZEN_SIM_DECODE_MS`)."""

    seed: int = 0
    """Answers, lengths and embeddings follow from it and from the request alone."""
    prefill_tokens_per_second: float = 20_000.0
    """Speed at which prompts are read."""
    decode_ms: float = 5.0
    """Time of one step; a step gives each running sequence one token."""
    batch_limit: int = 64
    """Sequences that run together."""
    queue_limit: int = 1024
    """Sequences that wait; one more is refused with 503."""
    kv_tokens: int = 131_072
    """Tokens that the KV cache holds."""
    max_model_len: int = 8192
    """Tokens of prompt and answer together."""
    embedding_size: int = 384
    """Length of an embedding."""
    startup_seconds: float = 0.0
    """/health answers 503 for so long."""
    lacks: str = ""
    """Paths that it does not offer, with commas: as an engine whose model cannot do everything."""
    faults: bool = False
    """Requests may ask for faults (`x-simulate`); never outside of tests."""


@dataclass(frozen=True)
class Listener:
    """Where the engine listens and what it is called."""

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = "simulated"


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[Settings, Listener]:
    """Settings from flags, then variables, then defaults. Exits with 2 and a sentence on a wrong value."""
    parser = argparse.ArgumentParser(prog="python -m mizzen_engines.simulated", description=__doc__, allow_abbrev=False)
    for field in fields(Settings):
        _add(parser, field.name, f"MIZZEN_SIM_{field.name.upper()}", field.default, environment)
    _add(parser, "host", "POD_IP", Listener.host, environment)
    _add(parser, "port", "MIZZEN_HTTP_PORT", Listener.port, environment)
    _add(parser, "model", "MIZZEN_MODEL_NAME", Listener.model, environment)
    given = vars(parser.parse_args(arguments))
    listener = Listener(given.pop("host"), given.pop("port"), given.pop("model"))
    return Settings(**given), listener


def _add(
    parser: argparse.ArgumentParser, name: str, variable: str, default: object, environment: Mapping[str, str]
) -> None:
    convert = _truth if isinstance(default, bool) else type(default)
    flag = f"--{name.replace('_', '-')}"
    # argparse converts a default that is text, so that a bad variable gets the same message as a bad flag.
    given = environment.get(variable) or str(default)
    if isinstance(default, bool):
        parser.add_argument(flag, dest=name, type=convert, default=given, nargs="?", const=True)
    else:
        parser.add_argument(flag, dest=name, type=convert, default=given)


def _truth(text: str) -> bool:
    if text.lower() in {"1", "true", "yes"}:
        return True
    if text.lower() in {"0", "false", "no"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither 1 nor 0")
