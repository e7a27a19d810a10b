"""Does one try of a probe hold? HTTP, TCP, a command, or a pause; by asyncio alone, so that a shim stays small."""

import asyncio
from collections.abc import Awaitable, Callable

from mizzen_cli.local.pod.manifest import Action, Container

RunCommand = Callable[[tuple[str, ...]], Awaitable[int]]
"""Runs a command in the container's environment and returns its exit code; killed when cancelled."""


async def attempt(action: Action, container: Container, address: str, seconds: float, run: RunCommand) -> str:
    """Carry out an action once. Returns what went wrong, or an empty string."""
    try:
        async with asyncio.timeout(seconds):
            return await carry_out(action, container, address, run)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror or error}"


async def carry_out(action: Action, container: Container, address: str, run: RunCommand) -> str:
    """One action, without a deadline. Raises OSError where nothing answers."""
    if action.command:
        code = await run(action.command)
        return "" if code == 0 else f"command ended with code {code}"
    if action.http_path is not None:
        status = await http_status(address, container.port(action.port), action.http_path, action.http_headers)
        return "" if 200 <= status < 400 else f"HTTP status {status}"
    if action.tcp:
        _, writer = await asyncio.open_connection(address, container.port(action.port))
        writer.close()
        return ""
    await asyncio.sleep(action.sleep_seconds or 0.0)
    return ""


async def http_status(address: str, port: int, path: str, headers: tuple[tuple[str, str], ...]) -> int:
    """Status of a GET; 0 for an answer that is not HTTP."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        given = {"Host": f"{address}:{port}", "User-Agent": "mizzen-probe", "Accept": "*/*", **dict(headers)}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "Connection: close"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0
    finally:
        writer.close()
