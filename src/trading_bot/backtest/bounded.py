"""A time limit on a user's code, in any thread.

Promises that Python code which loops is stopped, without touching signal handlers or starting a process, and that nothing is stopped
once its call has ended. Refuses to promise a stop for one long call into a C library: that is stopped when it comes back.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
AGAIN = 10.0
"""Seconds until code that swallowed a stop is stopped again."""
_HANDOVER = 0.05


class OutOfTimeError(BaseException):
    """Raised inside the code that ran too long. Not an Exception: `except Exception` in a loop must not swallow it."""


def bounded(call: Callable[[], T], seconds: float, again: float = AGAIN) -> T:
    """Return what `call` returns. TimeoutError if it takes longer than `seconds`."""
    guard, ended = threading.Lock(), threading.Lock()
    ended.acquire()
    watch = threading.Thread(target=_watch, args=(threading.get_ident(), (seconds, again), guard, ended), daemon=True)
    try:
        try:
            watch.start()  # a short limit may be over before this returns
            return call()
        finally:
            # The guard is taken for good: who has it cannot be stopped any more. A stop that came before is raised right here.
            guard.acquire()
            ended.release()
    except OutOfTimeError:
        guard.acquire(timeout=_HANDOVER)  # the stop may have come before the line above
        if ended.locked():
            ended.release()
        raise TimeoutError(f"it ran longer than {seconds:g} s and was stopped") from None


def _watch(watched: int, waits: tuple[float, float], guard: threading.Lock, ended: threading.Lock) -> None:
    """Stop the thread `watched` after the first wait, and again after each of the second, until its call has ended."""
    wait, again = waits
    while not ended.acquire(timeout=wait):
        if not guard.acquire(blocking=False):
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watched), ctypes.py_object(OutOfTimeError))
        guard.release()
        wait = again
