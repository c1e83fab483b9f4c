"""Strategies by name: shipped ones, a user's file by its path, an installed package's by entry point `trading_bot.strategies`.

Promises that a file is read anew each time (never from a cache of byte code), and that its digest tells any change of it. Refuses a file
that cannot be read or run, or that holds no `STRATEGY`; the StrategyError names the file and, where there is one, the line. A
strategy's file has to be complete in itself: what it imports is not part of its digest.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from trading_bot import plugins
from trading_bot.backtest.bounded import bounded
from trading_bot.backtest.culprit import culprit
from trading_bot.backtest.strategy import Strategy
from trading_bot.domain.errors import ConfigError, StrategyError
from trading_bot.domain.values import Digest

SHIPPED = plugins.STRATEGIES.built_in
IMPORT_SECONDS = 60.0


@dataclass(frozen=True)
class Loaded:
    """A strategy, where it came from in words, and the SHA-256 of its source file."""

    strategy: Strategy
    origin: str
    digest: Digest


def load_strategy(name: str, installed: Iterable[EntryPoint] | None = None) -> Loaded:
    """The strategy called `name`: shipped, a path that ends in .py, or an entry point's name, in this order.

    `installed` defaults to the entry points of this environment. StrategyError says what is wrong and where.
    """
    if name in SHIPPED:
        return _shipped(name)
    if is_path(name):
        return _from_file(Path(name).expanduser())
    return _from_package(name, entry_points(group=plugins.STRATEGIES.group) if installed is None else tuple(installed))


def is_path(name: str) -> bool:
    """Whether `name` means a file."""
    return name.endswith(".py") or os.sep in name


@cache
def shipped() -> tuple[Strategy, ...]:
    """All shipped strategies, by name."""
    return tuple(_shipped(name).strategy for name in SHIPPED)


def _shipped(name: str) -> Loaded:
    module = import_module(f"trading_bot.backtest.strategies.{name}")
    source = (files("trading_bot.backtest.strategies") / f"{name}.py").read_bytes()
    return Loaded(module.STRATEGY, "shipped", _digest(source))


def _from_file(path: Path) -> Loaded:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StrategyError(f"{path}: cannot be read ({error.strerror}); give the path of a file that holds a STRATEGY") from error
    return load_source(path, source)


def load_source(path: Path, source: bytes) -> Loaded:
    """The strategy of a file that holds `source`. The file itself may be on another machine. StrategyError as `load_strategy`."""
    digest = _digest(source)
    module = _run(path, source, f"_trading_bot_strategy_{digest}")
    return Loaded(_strategy_of(module, str(path)), f"file {path}", digest)


def _run(path: Path, source: bytes, name: str) -> ModuleType:
    """The module that `source` makes, under a name of its own: the same bytes give the same name, and others another."""
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        raise StrategyError(f"{where}: this is not Python: {getattr(error, 'msg', error)}") from error
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up here
    try:
        bounded(lambda: exec(code, module.__dict__), IMPORT_SECONDS)  # noqa: S102 - running the user's own file is what was asked for
    except TimeoutError as error:
        del sys.modules[name]
        raise StrategyError(f"{path}: {error} while it was imported; keep loops out of the module's top level") from None
    except (Exception, SystemExit) as error:  # edge: a user's file may raise anything
        del sys.modules[name]
        raise StrategyError(f"{culprit(error, str(path))}: it cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _from_package(name: str, points: Iterable[EntryPoint]) -> Loaded:
    points = tuple(points)
    if all(point.name != name for point in points):
        raise StrategyError(_unknown(name, {*SHIPPED, *(point.name for point in points)}))
    try:
        found = plugins.third_party(plugins.STRATEGIES, name, points)
    except ConfigError as error:
        raise StrategyError(str(error)) from error
    except Exception as error:  # edge: a package may raise anything while it is imported
        raise StrategyError(f"strategy {name!r}: its package raises at import: {type(error).__name__}: {error}") from error
    point = next(point for point in points if point.name == name)
    if isinstance(found, ModuleType):
        found = getattr(found, "STRATEGY", None)
    if not isinstance(found, Strategy):
        raise StrategyError(f"strategy {name!r}: {point.value} is {type(found).__name__}; the package has to name its STRATEGY there")
    package = point.dist.name if point.dist else point.module
    file = sys.modules[getattr(found.signals, "__module__", point.module)].__file__ or ""
    return Loaded(found, f"package {package}, {point.value}", _digest(Path(file).read_bytes()))


def _strategy_of(module: ModuleType, where: str) -> Strategy:
    found = getattr(module, "STRATEGY", None)
    if found is None:
        raise StrategyError(f"{where}: it holds no STRATEGY; end it with STRATEGY = Strategy(name, does, parameters, signals)")
    if not isinstance(found, Strategy):
        raise StrategyError(f"{where}: STRATEGY is {type(found).__name__}, not a Strategy; make it with Strategy(...)")
    return found


def _unknown(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=3)
    meant = f"; did you mean {' or '.join(near)}?" if near else ";"
    own = "name a file of your own by a path that ends in .py"
    return f"there is no strategy {name!r}{meant} known are {', '.join(sorted(known))}; {own}"


def _digest(source: bytes) -> Digest:
    return Digest(hashlib.sha256(source).hexdigest())
