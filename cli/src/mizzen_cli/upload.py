"""Sending what the registry does not have yet: parts of all files side by side, again after a break."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from mizzen_cli.artifact import LocalFile, digest_of
from mizzen_cli.client import ApiClient, Json, refused, unreachable
from mizzen_cli.errors import CommandError

AT_ONCE = 4
PATIENCE_SECONDS = 120.0
"""How long a control plane or store that is away is waited for."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
HASHED_BYTES_A_SECOND = 50e6
"""What a slow disk gives: an answer that comes after a digest was computed may take this long."""
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
IN_PROGRESS = "upload_in_progress"
COMPLETE = "file_complete"


@dataclass(frozen=True)
class Part:
    """Bytes of a file that the registry lacks."""

    file: LocalFile
    path: str
    """Of the route that takes them."""
    offset: int
    length: int
    task: TaskID


def unfinished(api: ApiClient, model: str, format_name: str, files: list[LocalFile]) -> Json | None:
    """The version that an earlier push of these very files began and did not finish; None for none."""
    digest = digest_of(files)
    path = api.path("models", model, "versions")
    for version in api.items(path, filter="state = PENDING"):
        if version["digest"] == digest and version["format"] == format_name:
            return api.get(f"{path}/{version['version']}")
    return None


def upload(api: ApiClient, version_path: str, version: Json, files: list[LocalFile]) -> None:
    """Send the parts that the registry misses, with a progress bar; raises CommandError.

    `version` tells which files it has whole. What a part of the control plane's or the store's trouble interrupts is
    tried again for two minutes.
    """
    wanted = {file["path"] for file in version["files"] if not file["received"]}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    stop = threading.Event()
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        ThreadPoolExecutor(AT_ONCE) as senders,
    ):
        parts = (
            part
            for file in files
            if file.path in wanted and file.size
            for part in _missing(api, f"{version_path}/parts/{file.path}", file, progress)
        )
        try:
            _send_all(parts, senders, lambda part: _send(api, part, progress, stop))
        except BaseException:
            stop.set()
            raise


def finalize(api: ApiClient, version_path: str, files: list[LocalFile]) -> Json:
    """Have the version checked; what is READY already is told again."""
    timeout = _patience(sum(file.size for file in files))
    version: Json = _insisting(api, "POST", f"{version_path}:finalize", json={}, timeout=timeout).json()
    return version


def _missing(api: ApiClient, path: str, file: LocalFile, progress: Progress) -> Iterator[Part]:
    state = api.get(path)
    if state["received"]:
        return
    each = int(state["part_bytes"])
    here = [(int(one["first"]), int(one["end"])) for one in state["ranges"]]
    task = progress.add_task(file.path, total=file.size)
    for offset in range(0, file.size, each):
        part = Part(file, path, offset, min(each, file.size - offset), task)
        if any(first <= offset and offset + part.length <= end for first, end in here):
            progress.advance(task, part.length)
        else:
            yield part
    # All bytes may be here and the file not be complete, where a kill came in between: finalizing completes it.


def _send_all(parts: Iterator[Part], senders: ThreadPoolExecutor, send: Callable[[Part], None]) -> None:
    """A few at a time, so that a file of many parts is not read into a queue."""
    running = set()
    for part in parts:
        running.add(senders.submit(send, part))
        if len(running) >= AT_ONCE * 2:
            done, running = wait(running, return_when="FIRST_COMPLETED")
            for one in done:
                one.result()
    done, running = wait(running, return_when=FIRST_EXCEPTION)
    for one in done:
        one.result()


def _send(api: ApiClient, part: Part, progress: Progress, stop: threading.Event) -> None:
    if stop.is_set():
        return
    with part.file.source.open("rb") as stream:
        content = os.pread(stream.fileno(), part.length, part.offset)
    if len(content) != part.length:
        raise CommandError(f"{part.file.source} became shorter while it was pushed. Push it again.")
    params, timeout = {"offset": part.offset}, _patience(part.file.size)
    _insisting(api, "PUT", part.path, params=params, content=content, timeout=timeout, stop=stop, done=COMPLETE)
    progress.advance(part.task, part.length)


def _insisting(
    api: ApiClient, method: str, path: str, *, stop: threading.Event | None = None, done: str = "", **options: object
) -> httpx.Response:
    """One exchange that may be repeated, until it is answered with more than "not now"; `done` is a code that is fine.

    Raises:
        CommandError: with the server's sentence, and with what to do where patience ends.
    """
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS
    while True:
        trouble = None
        try:
            response = api.exchange(method, path, **options)
            code = _code(response)
            if not response.is_error or (done and code == done):
                return response
            trouble = refused(response)
            if response.status_code not in TRY_AGAIN and code != IN_PROGRESS:
                raise trouble
        except httpx.TransportError as error:
            trouble = unreachable(api.url, error)
        if time.monotonic() + pause > deadline or (stop is not None and stop.is_set()):
            raise CommandError(f"{trouble} What was sent is kept: push again to go on.", trouble.code)
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _code(response: httpx.Response) -> str:
    if not response.is_error:
        return ""
    try:
        return str(response.json().get("code", ""))
    except ValueError:
        return ""


def _patience(size: int) -> float:
    """Seconds that an answer may take: at the last part the digest of the whole is computed."""
    return 60 + size / HASHED_BYTES_A_SECOND
