"""Run one program in a process group of its own, with deadlines and an end to its talking.

Promises that nothing of the group is left when `run` returns, however it ended; that a silent, a stalled and an endless program
are told apart; and that its lines reach the caller as they come. Refuses standard input.
"""

import errno
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

LineReader = Callable[[str], str | None]
"""Takes a line of standard output; a text that it returns ends the program, and says why."""

_CHUNK = 1 << 16
_KEPT_ERRORS = 4000
_PAUSE = 0.01
_PAUSES = 20


class Cut(StrEnum):
    """Why a program was ended before it ended by itself."""

    SILENT = "silent"
    STALLED = "stalled"
    TOO_LONG = "too_long"
    BY_READER = "by_reader"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Deadlines:
    """Seconds by the machine's steady clock, and the most bytes of output."""

    first_word: float
    """Until the reader has heard something that counts."""
    idle: float
    """Between two lines."""
    total: float
    most_bytes: int


@dataclass
class Exit:
    """How it ended. `code` is negative for a signal."""

    code: int
    cut: Cut | None
    reason: str
    """The reader's, if it ended the program."""
    errors: str
    """End of standard error."""
    size: int = 0
    """Bytes of standard output."""


@dataclass
class _Talk:
    """What a running program has said so far."""

    read: LineReader
    has_spoken: Callable[[], bool]
    stop: threading.Event
    started: float
    last: float
    pending: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    size: int = 0
    reason: str = ""

    def hear(self, data: bytes) -> None:
        """Take in standard output, line by line."""
        self.size += len(data)
        self.pending += data
        while not self.reason and (end := self.pending.find(b"\n")) >= 0:
            line = self.pending[:end].decode("utf-8", "replace")
            del self.pending[: end + 1]
            self.last = time.monotonic()
            self.reason = self.read(line) or ""

    def over(self, deadlines: Deadlines) -> Cut | None:
        """Whether it has to be ended now."""
        now = time.monotonic()
        if self.reason:
            return Cut.BY_READER
        if self.stop.is_set():
            return Cut.STOPPED
        if self.size > deadlines.most_bytes:
            return Cut.TOO_LONG
        if not self.has_spoken() and now - self.started >= min(deadlines.first_word, deadlines.total):
            return Cut.SILENT
        if (self.has_spoken() and now - self.last >= deadlines.idle) or now - self.started >= deadlines.total:
            return Cut.STALLED
        return None

    def patience(self, deadlines: Deadlines) -> float:
        """Seconds until the next deadline."""
        first = self.last + deadlines.idle if self.has_spoken() else self.started + deadlines.first_word
        return max(0.0, min(first, self.started + deadlines.total) - time.monotonic())


def run(  # noqa: PLR0913 - what a program is run with
    argv: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    deadlines: Deadlines,
    read: LineReader,
    *,
    has_spoken: Callable[[], bool],
    stop: threading.Event | None = None,
) -> Exit:
    """Run `argv` to its end, or until `stop`. OSError if it cannot be started.

    `has_spoken`: whether anything that counts as the first word was read.
    """
    found = shutil.which(argv[0], path=environment.get("PATH"))
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    program = str(Path(found).absolute())  # a relative name is meant from here, not from the folder that it runs in
    started = time.monotonic()
    talk = _Talk(read, has_spoken, stop or threading.Event(), started, started)
    process = subprocess.Popen(  # noqa: S603 - our own argv, no shell
        [*_dies_with_us(), program, *argv[1:]],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        cut = _listen(process, talk, deadlines)
    finally:
        _end_group(process)
    return Exit(process.returncode, cut, talk.reason, talk.errors[-_KEPT_ERRORS:].decode("utf-8", "replace"), talk.size)


def _dies_with_us() -> list[str]:
    """A prefix that has the kernel kill the program when this process dies, where the machine offers one."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _listen(process: "subprocess.Popen[bytes]", talk: _Talk, deadlines: Deadlines) -> Cut | None:
    with selectors.DefaultSelector() as selector:
        for stream, name in ((process.stdout, "out"), (process.stderr, "err")):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream.fileno(), selectors.EVENT_READ, name)
        while selector.get_map():
            cut = talk.over(deadlines)
            if cut is not None:
                return cut
            # A child that was left behind may keep the pipe open: the end of the program itself ends the listening.
            ready = selector.select(min(talk.patience(deadlines), 0.2))
            if not ready and _has_exited(process):
                break
            for key, _ in ready:
                _take_in(key.fd, key.data, selector, talk)
    return talk.over(deadlines) if not _has_exited_within(process, talk, deadlines) else None


def _take_in(descriptor: int, name: str, selector: selectors.BaseSelector, talk: _Talk) -> None:
    with suppress(BlockingIOError):
        data = os.read(descriptor, _CHUNK)
        if not data:
            selector.unregister(descriptor)
        elif name == "out":
            talk.hear(data)
        else:
            talk.errors += data
            del talk.errors[:-_KEPT_ERRORS]


def _has_exited(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is over, without reaping it: its group's number must not be given to others before the group is killed."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _has_exited_within(process: "subprocess.Popen[bytes]", talk: _Talk, deadlines: Deadlines) -> bool:
    """Wait for a program that has closed its output to end."""
    while not _has_exited(process):
        if talk.over(deadlines) is not None:
            return False
        time.sleep(_PAUSE)
    return True


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of the group, and wait a moment until it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    with suppress(ProcessLookupError, PermissionError):
        for _ in range(_PAUSES):
            os.killpg(process.pid, 0)
            time.sleep(_PAUSE)
