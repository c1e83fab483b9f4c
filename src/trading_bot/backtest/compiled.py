"""Numba in one place: functions compiled to machine code once, and kept on disk.

Promises that what was compiled from older sources is not used: numba looks only at the file that holds a function, `refresh` at all that
it calls. The cache lies beside the source or, where that may not be written, in the user's cache folder (`NUMBA_CACHE_DIR` names
another). Refuses fast mathematics: a float is what numpy would make of it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile `function` at its first call, or take it from disk; it holds no lock of the interpreter while it runs."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


_INNER: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "nogil": True, "error_model": "numpy"}


def inner(function: F) -> F:
    """Compile `function` into those that call it; Python cannot, and it may make no arrays: none is counted in or out."""
    return cast("F", numba.njit(forceinline=True, **_INNER)(function))


def apart(function: F) -> F:
    """As `inner`, but called: for what is seldom, or has many callers. A call costs some 30 ns where a desk is handed over."""
    return cast("F", numba.njit(**_INNER)(function))


def summing(function: F) -> F:
    """As `inner`, for sums whose terms may be added in any order: the one liberty that is taken with floats, to rounding error."""
    return cast("F", numba.njit(forceinline=True, fastmath={"reassoc"}, **_INNER)(function))


def refresh(function: Callable[..., Any], sources: Sequence[str | None]) -> None:
    """Forget what was compiled of `function` before any of the files `sources` changed."""
    paths = [Path(source) for source in sources if source is not None]
    folder, newest = Path(function.stats.cache_path), max(path.stat().st_mtime_ns for path in paths)  # type: ignore[attr-defined]
    for index in folder.glob(f"*.{function.__name__}-*.nbi"):
        if index.stat().st_mtime_ns < newest:
            index.unlink(missing_ok=True)
