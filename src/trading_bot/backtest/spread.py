"""The same work on many processors: inside this process, in processes of this machine, or on a Dask cluster.

Work is cut into spans of cells. It travels once to each process, and results come back in the order of the cells, whoever reckoned
them. Promises that a worker that dies costs nothing but time, and that a cluster that is not there, lost all its workers, or runs
another version is told within seconds. Refuses to mix versions: cells of two programs are not one grid. A cluster's connections are
neither encrypted nor asked for a password unless its address is `tls://`: keep it inside a network that you trust.
"""

import ctypes
import pickle
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from trading_bot.backtest.card import package_digest
from trading_bot.domain.errors import ClusterError, ResearchError
from trading_bot.domain.values import derive_digest

if TYPE_CHECKING:
    from distributed import Client, Future

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
Span = tuple[int, int]
"""Cells from the first up to and without the last."""
Tell = Callable[[int], object]
"""Hears how many cells came back since it was last told."""

CONNECT_SECONDS = 5
PATIENCE_SECONDS = 30
"""So long a cluster may be without any worker, before it is given up."""
FETCH_SECONDS = 5
"""So long an answer may take to come from where it lies; twice as long after each time that it did not."""
_TRIES = 4
_WATCHED = 32
"""Waiting costs as much as there is to wait for."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As glibc's `malloc.h` numbers them."""
_KEPT_BYTES = 32 * 2**20
"""The greatest that glibc takes."""
_ADDRESS = re.compile(r"(tcp|tls)://[^/\s]+:\d{1,5}")
_PACKAGE = Path(__file__).resolve().parents[1]
_LOST = object()
_ROOMS = ("backtest", "brokers", "domain", "market")
"""Where cells are reckoned."""


class Work(Protocol[T_co]):
    """What can be pickled, and reckons a span of cells. It must not remember anything that changes answers."""

    def __call__(self, first: int, last: int) -> T_co:
        """The answer for the cells from `first` up to and without `last`."""


def spans(first: int, last: int, size: int) -> list[Span]:
    """Cut the cells from `first` up to and without `last` into pieces of `size`."""
    return [(at, min(at + size, last)) for at in range(first, last, size)]


def run_here(work: Work[T], pieces: Sequence[Span], tell: Tell) -> list[T]:
    """One piece after the other, inside this process: an answer for each."""
    found = []
    for first, last in pieces:
        found.append(work(first, last))
        tell(last - first)
    return found


def run_local(work: Work[T], pieces: Sequence[Span], tell: Tell, jobs: int) -> list[T]:
    """In `jobs` processes of this machine: an answer for each piece, in their order. ResearchError if they keep dying."""
    found: list[T] = []
    with tempfile.TemporaryDirectory(prefix="trading-bot-sweep-") as folder:
        path = Path(folder) / "work.pickle"
        path.write_bytes(pickle.dumps(work))
        for _ in range(_TRIES):
            rest = pieces[len(found) :]
            try:
                for answer in joblib.Parallel(n_jobs=jobs, return_as="generator")(
                    joblib.delayed(_opened)(str(path), span) for span in rest
                ):
                    first, last = pieces[len(found)]
                    found.append(answer)
                    tell(last - first)
            except TerminatedWorkerError:
                continue
            return found
    raise ResearchError(f"processes of this machine died {_TRIES} times, most likely for want of memory: try --jobs 1, or a smaller grid")


def _opened(path: str, span: Span) -> Any:  # noqa: ANN401 - whatever the work answers
    return _unpickled(path)(*span)


@lru_cache(maxsize=1)
def _unpickled(path: str) -> Work[Any]:
    work: Work[Any] = pickle.loads(Path(path).read_bytes())  # noqa: S301 - our own file, in a folder that only we may enter
    return work


def run_cluster(work: Work[T], pieces: Sequence[Span], tell: Tell, address: str, patience: float = PATIENCE_SECONDS) -> list[T]:
    """On the Dask cluster whose scheduler is at `address`: an answer for each piece, in their order.

    `patience`: seconds that it may be without a worker. ClusterError says what is wrong with it; errors of the work come as they are.
    """
    with _connected(address) as client:
        return _Cluster(client, address, patience).run(work, pieces, tell)


class _FailedWorkError(Exception):
    """The work itself raised `error`: not the cluster's fault."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class _Cluster:
    """A sweep on a cluster that answers. What was lost with its worker is sent again."""

    def __init__(self, client: "Client", address: str, patience: float) -> None:
        self._client = client
        self._address = address
        self._patience = patience

    def run(self, work: Work[T], pieces: Sequence[Span], tell: Tell) -> list[T]:
        found: dict[int, T] = {}
        ours = versions()
        try:
            for _ in range(_TRIES):
                missing = [n for n in range(len(pieces)) if n not in found]
                if not missing:
                    break
                held = self._client.scatter(work, broadcast=True, hash=False)
                sent = {self._client.submit(_checked, held, ours, pieces[n], pure=False): n for n in missing}
                for n, answer in self._answers(sent):
                    found[n] = answer
                    first, last = pieces[n]
                    tell(last - first)
        except _FailedWorkError as failed:
            raise failed.error from None
        except (OSError, TimeoutError) as error:
            raise self._lost(found, pieces, f"does not answer any more ({type(error).__name__})") from error
        if len(found) < len(pieces):
            raise self._lost(found, pieces, "kept losing what was sent to it")
        return [found[n] for n in range(len(pieces))]

    def _answers(self, waiting: dict["Future[Any]", int]) -> Iterator[tuple[int, Any]]:
        """Answers as they come. What is lost with its worker is left out."""
        alone, patience = 0, float(FETCH_SECONDS)
        while waiting:
            done = self._finished(list(waiting))
            alone = 0 if done or self._client.scheduler_info()["workers"] else alone + 1
            if alone > self._patience or self._client.status != "running":
                raise TimeoutError
            for future in done:
                try:
                    answer = self._answer(future, patience)
                except TimeoutError:  # its worker has died since: the scheduler has it reckoned anew
                    patience *= 2
                    continue
                number = waiting.pop(future)
                if answer is not _LOST:
                    yield number, answer

    def _finished(self, waiting: list["Future[Any]"]) -> list["Future[Any]"]:
        """Those that ended, in whatever way; waits a second for one of the first, which are the first to be reckoned."""
        from distributed import wait  # noqa: PLC0415 - an extra: only who wants a cluster has it
        from distributed.client import FuturesCancelledError  # noqa: PLC0415 - as above

        with suppress(TimeoutError, FuturesCancelledError):  # cancelled: the last worker that held the work is gone
            wait(waiting[:_WATCHED], timeout=1, return_when="FIRST_COMPLETED")
        return [future for future in waiting if future.done()]

    def _answer(self, future: "Future[Any]", patience: float) -> Any:  # noqa: ANN401 - whatever the work answers
        """What came of a future that has ended; `_LOST` if it was lost with its worker. TimeoutError if it cannot be fetched."""
        from distributed import KilledWorker  # noqa: PLC0415 - as above

        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                raise ClusterError(f"the cluster at {self._address} lost a worker on the same cells again and again: see the workers' logs")
            raise _FailedWorkError(error)
        try:
            return future.result(timeout=patience) if future.status == "finished" else _LOST
        except CancelledError:
            return _LOST

    def _lost(self, found: Iterable[int], pieces: Sequence[Span], how: str) -> ClusterError:
        done, all_ = (sum(pieces[n][1] - pieces[n][0] for n in some) for some in (found, range(len(pieces))))
        return ClusterError(
            f"the cluster at {self._address} {how}, {done} of {all_} cells were done: see that scheduler and workers run, and try again"
        )


@contextmanager
def _connected(address: str) -> Iterator["Client"]:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra: only who wants a cluster has it
    except ImportError as error:
        raise ClusterError("a cluster needs the extra `cluster`: pip install 'trading-bot[cluster]', here and on every worker") from error
    if not _ADDRESS.fullmatch(address):
        raise ClusterError(f"{address!r} is no address of a Dask scheduler: write tcp://host:port, e.g. tcp://10.0.0.5:8786")
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        hint = "start one with `dask scheduler` and `dask worker ADDRESS`, or leave --cluster out to use this machine"
        raise ClusterError(f"there is no Dask scheduler at {address} ({type(error).__name__}): {hint}") from error
    try:
        _expect_workers(client, address)
        with client.as_current():
            yield client
    finally:
        client.close(timeout=CONNECT_SECONDS)


def _expect_workers(client: "Client", address: str) -> None:
    """ClusterError unless there is a worker, and all run the program that runs here."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise ClusterError(f"the scheduler at {address} has no worker: start one with `dask worker {address}`") from error
    try:
        told = client.run(versions)
    except ImportError as error:
        raise ClusterError(
            f"a worker of {address} cannot import {error.name}: install this very version of trading-bot on every worker"
        ) from error
    for worker, theirs in sorted(told.items()):
        _expect(versions(), theirs, f"the worker {worker}")


def versions() -> dict[str, str]:
    """What has to be the same for cells to be of one grid."""
    libraries = {name: version(name) for name in ("numpy", "pandas", "numba", "TA-Lib", "pydantic")}
    code = derive_digest(*(package_digest(_PACKAGE / room) for room in _ROOMS))
    return {"python": platform.python_version(), **libraries, "trading-bot": f"{version('trading-bot')}, code {code[:12]}"}


def _expect(ours: dict[str, str], theirs: dict[str, str], who: str) -> None:
    other = [f"{name} {theirs.get(name, 'none')} (here {ours[name]})" for name in ours if theirs.get(name) != ours[name]]
    if other:
        raise ClusterError(f"{who} runs {', '.join(other)}: install the same versions there, and restart it")


def _checked(work: Work[Any], ours: dict[str, str], span: Span) -> Any:  # noqa: ANN401 - whatever the work answers
    """On a worker, which may have joined later: the cells of `span`."""
    theirs = _ready()
    if theirs != ours:
        _expect(ours, theirs, f"the worker on {platform.node()}")
    return work(*span)


@cache
def _ready() -> dict[str, str]:
    """Once in a worker: its versions, and memory that stays with it.

    Dask has a worker give every freed page back at once. Signals of the next cells want it again: a third of the time went there.
    """
    if keep := getattr(ctypes.CDLL(None), "mallopt", None):  # glibc's; other allocators keep what they like
        keep(_TRIM_THRESHOLD, _KEPT_BYTES)
        keep(_MMAP_THRESHOLD, _KEPT_BYTES)
    return versions()
