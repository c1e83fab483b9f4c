"""The desk's home: its layout on disk, the lock of its one owner, and the address of its journal.

Promises that a home which cannot be used is refused with a fix, that one process at a time owns it, and that the lock
dies with its process, however that ends. Refuses to share the lock with child processes.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError, DiskFullError, HomeError, HomeLockedError
from trading_bot.domain.values import canonical_json
from trading_bot.storage.claim import Claim

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_ATTEMPTS = 10
_PAUSE = 0.01
"""A look by `lock_owner` holds the lock for microseconds; an owner holds it for hours. Waiting 0.1 s tells them apart."""

_FIXES = {
    errno.EROFS: "it lies on a read-only file system; choose another folder with TRADING_BOT_HOME",
    errno.EACCES: "this user may not write there; change its owner, or choose another folder with TRADING_BOT_HOME",
    errno.EPERM: "this user may not write there; change its owner, or choose another folder with TRADING_BOT_HOME",
    errno.ENOSPC: "the disk is full; free some space and start again",
    errno.EDQUOT: "the disk quota is used up; free some space and start again",
    errno.EFBIG: "the file size limit is reached; raise it (ulimit -f) and start again",
    errno.EEXIST: "it is not a folder; move that file away, or choose another folder with TRADING_BOT_HOME",
    errno.ENOTDIR: "it is not a folder; move that file away, or choose another folder with TRADING_BOT_HOME",
    errno.EISDIR: "a folder stands where a file belongs; move it away",
}

_FULL = {errno.ENOSPC, errno.EDQUOT}
"""What ends by itself once somebody makes room: the same home is good again then."""

_held: set[int] = set()


def _let_go_in_child() -> None:
    """Close the parent's lock files in a forked child, which would keep the home locked after the parent's death."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


@dataclass(frozen=True)
class Owner:
    """Which process has a home, what for and since when (wall time), as it wrote that itself."""

    pid: int
    purpose: str
    since: datetime

    def __str__(self) -> str:
        """For people."""
        return f"process {self.pid} ({self.purpose}, since {self.since:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True)
class Starting:
    """A process that has the lock and has not written yet who it is."""

    purpose: str = "starting"

    def __str__(self) -> str:
        """For people."""
        return "a process that is just starting"


@dataclass(frozen=True)
class Home:
    """A folder that belongs to one desk."""

    path: Path
    storage: str | None = field(default=None, repr=False)
    """The server's database that the configuration names."""

    @classmethod
    def configured(cls, path: Path, load: Callable[[], Config]) -> "Home":
        """The home at `path`, with the storage of what `load` returns; what cannot be read is not needed to halt or to find the journal."""
        try:
            return cls(path, load().storage.url)
        except ConfigError:
            return cls(path)

    @property
    def journal(self) -> Path:
        """Database of the journal where no server keeps it."""
        return self.path / "journal.db"

    @property
    def claim_file(self) -> Path:
        """Which server's database keeps the journal."""
        return self.path / "storage.json"

    @property
    def database(self) -> str | Path:
        """Where journal, inbox, spending and bars of this home are: every reader and writer opens this. HomeMismatchError."""
        claim = Claim.read(self.claim_file)
        if claim is not None:
            return claim.address_with(self.storage, self.claim_file)
        return self.journal if self.storage is None or self.journal.exists() else self.storage

    @property
    def has_journal(self) -> bool:
        """Whether a desk has come up here; asks no server."""
        return self.claim_file.exists() or self.journal.exists()

    @property
    def news(self) -> str | Path:
        """Where articles, their scores and what climbed are kept: beside the journal on its server, or in a file of their own."""
        found = self.database
        return found if isinstance(found, str) else self.path / "news.db"

    @property
    def news_queue(self) -> Path:
        """Database of the embedded queue of articles."""
        return self.path / "queue.db"

    @property
    def sentiment_model(self) -> Path:
        """Weights of the linear model that the user trained."""
        return self.path / "models" / "sentiment.npz"

    @property
    def paper(self) -> Path:
        """Database of the paper broker."""
        return self.path / "paper.db"

    @property
    def bars(self) -> Path:
        """Folder of the bar store."""
        return self.path / "bars"

    @property
    def llm_logs(self) -> Path:
        """Folder of logs of model calls."""
        return self.path / "logs" / "llm"

    @property
    def cassettes(self) -> Path:
        """Folder of recorded model calls."""
        return self.path / "cassettes"

    @property
    def judged(self) -> Path:
        """Folder of calls that only judged a prompt."""
        return self.path / "judged"

    @property
    def claude(self) -> Path:
        """Folder of the claude binary's own surroundings."""
        return self.path / "claude"

    @property
    def reports(self) -> Path:
        """Folder of reports."""
        return self.path / "logs" / "reports"

    @property
    def backtests(self) -> Path:
        """Folder of backtests' journals."""
        return self.path / "backtests"

    @property
    def halt_file(self) -> Path:
        """While anything is here, the desk is halted."""
        return self.path / "HALT"

    @property
    def mandate(self) -> Path:
        """The mandate's text."""
        return self.path / "mandate.yaml"

    @property
    def mandate_signature(self) -> Path:
        """The operator's signature of the mandate."""
        return self.path / "mandate.sig"

    @property
    def lock_file(self) -> Path:
        """Locked by the owner; tells who that is."""
        return self.path / "desk.lock"

    @property
    def heartbeat(self) -> Path:
        """When the desk's loop last went round."""
        return self.path / "heartbeat.json"

    @property
    def guardian_log(self) -> Path:
        """What the guardian meant to do, and did."""
        return self.path / "guardian.jsonl"

    @property
    def guardian_memory(self) -> Path:
        """The guardian's own copy of what it has to know."""
        return self.path / "guardian.json"

    def prepare(self) -> None:
        """Make the folders, readable by this user alone. HomeError or DiskFullError with a fix if that or writing is impossible."""
        try:
            self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            for folder in (self.bars, self.path / "logs", self.llm_logs, self.reports, self.backtests):
                folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            self._prove_writable()
        except OSError as error:
            raise self._unusable(error) from error

    @contextmanager
    def lock(self, purpose: str, since: datetime) -> Iterator[None]:
        """Own the home until the block ends or the process dies.

        `purpose` and `since` (wall time) tell others who holds it. HomeLockedError says who does;
        HomeError if the lock file cannot be used.
        """
        descriptor = self._open_lock()
        _held.add(descriptor)
        try:
            if not _take(descriptor):
                msg = f"{self.path} is owned by {_owner(descriptor)}; stop that process, or wait until it ends"
                raise HomeLockedError(msg)
            self._announce(descriptor, purpose, since)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            _held.discard(descriptor)
            os.close(descriptor)

    def lock_owner(self) -> Owner | Starting | None:
        """Who owns the home, None if nobody does. Does not take the lock."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner(descriptor)
        finally:
            os.close(descriptor)
        return None

    def _announce(self, descriptor: int, purpose: str, since: datetime) -> None:
        text = canonical_json({"pid": os.getpid(), "purpose": purpose, "since": since.isoformat(timespec="seconds")})
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as error:
            raise self._unusable(error) from error

    def _open_lock(self) -> int:
        try:
            return os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except FileNotFoundError as error:
            msg = f"{self.path} does not exist; `python -m trading_bot doctor` shows which home is meant"
            raise HomeError(msg) from error
        except OSError as error:
            raise self._unusable(error) from error

    def _prove_writable(self) -> None:
        """Write a block, since neither permissions nor free space can be known without trying."""
        probe = self.path / ".probe"
        try:
            probe.write_bytes(bytes(4096))
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> HomeError | DiskFullError:
        fix = _FIXES.get(error.errno or 0, "choose another folder with TRADING_BOT_HOME")
        kind = DiskFullError if error.errno in _FULL else HomeError
        return kind(f"{self.path} cannot be the desk's home: {fix} ({error})")


def _take(descriptor: int) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_PAUSE)
        else:
            return True
    return False


def _owner(descriptor: int) -> Owner | Starting:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Owner(int(found["pid"]), str(found["purpose"]), datetime.fromisoformat(found["since"]).astimezone(UTC))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return Starting()
