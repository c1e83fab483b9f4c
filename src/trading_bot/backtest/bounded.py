"""A time limit on a user's code, in any thread.

Promises that Python code which loops is stopped, without touching signal handlers or starting a process. Refuses to promise it for one
long call into a C library: that is stopped when it comes back.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_AGAIN = 1.0
"""Seconds until code that caught the first stop is stopped again."""


class OutOfTimeError(BaseException):
    """Raised inside the code that ran too long. Not an Exception: `except Exception` in a loop must not swallow it."""


def bounded(call: Callable[[], T], seconds: float) -> T:
    """Return what `call` returns. TimeoutError if it takes longer than `seconds`."""
    watch = _Watch(threading.get_ident(), seconds)
    watch.start()
    try:
        try:
            return call()
        finally:
            watch.end()
    except OutOfTimeError:
        watch.end()  # the stop may have come while the first one was being made
        raise TimeoutError(f"it ran longer than {seconds:g} s and was stopped") from None


class _Watch(threading.Thread):
    """Stops a thread again and again until told that its call has ended."""

    def __init__(self, watched: int, seconds: float) -> None:
        super().__init__(name="strategy watch", daemon=True)
        self._watched, self._seconds = watched, seconds
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        wait = self._seconds
        while not self._ended.wait(wait):
            with self._lock:  # never after `end` has returned: the exception would hit somebody else's code
                if not self._ended.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._watched), ctypes.py_object(OutOfTimeError))
            wait = _AGAIN

    def end(self) -> None:
        with self._lock:
            self._ended.set()
