"""Strategies are found by name, path or entry point; what cannot be used says what is wrong and where; what loops is stopped."""

import gc
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from frames import random_frame, strategy_file
from trading_bot import plugins
from trading_bot.backtest import loading, strategies
from trading_bot.backtest.asking import answer, ask
from trading_bot.backtest.bounded import bounded
from trading_bot.backtest.loading import load_strategy, shipped
from trading_bot.backtest.strategy import Strategy
from trading_bot.domain.errors import StrategyError

GOOD = "return Signals.of(frame, entry=turned(frame.sma(3) > frame.sma(9)), exit=no)"


def _point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, plugins.STRATEGIES.group)


def test_every_shipped_strategy_is_found_by_its_name_with_its_digest() -> None:
    """The names of the files, of the strategies and of the list are the same."""
    folder = Path(strategies.__file__).parent
    assert tuple(s.name for s in shipped()) == plugins.STRATEGIES.built_in
    assert {s.name for s in shipped()} == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    for strategy in shipped():
        loaded = load_strategy(strategy.name)
        assert loaded.strategy is strategy
        assert (loaded.origin, loaded.digest) == ("shipped", sha256((folder / f"{strategy.name}.py").read_bytes()).hexdigest())
        assert strategy.values({}) == {p.name: p.default for p in strategy.parameters}


def test_a_file_is_found_by_its_path_and_read_anew_each_time(tmp_path: Path) -> None:
    """An edit within the same second and of the same size is seen; so is what the older one was."""
    path = strategy_file(tmp_path, GOOD)
    first = load_strategy(str(path))
    path.write_text(path.read_text("utf-8").replace("sma(3)", "sma(4)"), "utf-8")
    second = load_strategy(str(path))
    frame = random_frame(200)
    one, two = ask(first.strategy, frame, {}), ask(second.strategy, frame, {})
    assert first.digest != second.digest
    assert (one.entry != two.entry).any()
    assert second.digest == sha256(path.read_bytes()).hexdigest()
    assert second.origin == f"file {path}"
    np.testing.assert_array_equal(ask(first.strategy, frame, {}).entry, one.entry)
    assert list(tmp_path.iterdir()) == [path]


def test_a_strategy_of_a_file_can_be_pickled_in_its_process(tmp_path: Path) -> None:
    """Its module is known under a name of its own."""
    strategy = load_strategy(str(strategy_file(tmp_path, GOOD))).strategy
    assert pickle.loads(pickle.dumps(strategy)) == strategy  # noqa: S301 - of this test's own making


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STRATEGY = (", r"mine\.py, line 1: this is not Python: '\(' was never closed"),
        ("x = 1\n\x00", r"mine\.py.*this is not Python"),
        ("x = 1\n", r"mine\.py: it holds no STRATEGY; end it with STRATEGY = Strategy\("),
        ("STRATEGY = 'sma_cross'\n", r"mine\.py: STRATEGY is str, not a Strategy"),
        ("x = 1\ny = x / 0\n", r"mine\.py, line 2: it cannot be imported: ZeroDivisionError: division by zero"),
        ("import no_such_module_here\n", r"mine\.py, line 1: it cannot be imported: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(3)\n", r"mine\.py, line 2: it cannot be imported: SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_where(tmp_path: Path, text: str, message: str) -> None:
    """Name, line and what to do."""
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    with pytest.raises(StrategyError, match=message):
        load_strategy(str(path))


def test_a_file_that_is_not_there_or_is_a_folder_says_so(tmp_path: Path) -> None:
    """With the operating system's reason."""
    with pytest.raises(StrategyError, match=r"gone\.py: cannot be read \(No such file or directory\); give the path"):
        load_strategy(str(tmp_path / "gone.py"))
    with pytest.raises(StrategyError, match=r"cannot be read \(Is a directory\)"):
        load_strategy(f"{tmp_path}/")


@pytest.mark.usefixtures("no_garbage")
def test_a_file_that_loops_while_it_is_imported_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is a minute; here less."""
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 0.2)
    path = tmp_path / "mine.py"
    path.write_text("while True:\n    pass\n", "utf-8")
    with pytest.raises(StrategyError, match=r"ran longer than 0\.2 s and was stopped while it was imported"):
        load_strategy(str(path))


def test_an_unknown_name_lists_near_and_known_ones() -> None:
    """Shipped and installed."""
    with pytest.raises(
        StrategyError, match=r"no strategy 'sma_cros'; did you mean sma_cross\? known are buy_and_hold, .*, theirs; name a file"
    ):
        load_strategy("sma_cros", [_point("theirs", "os.path:join")])
    with pytest.raises(StrategyError, match=r"no strategy 'zzz'; known are"):
        load_strategy("zzz")


def test_an_installed_strategy_is_found_by_its_entry_point() -> None:
    """It may name the strategy or its module."""
    module = "trading_bot.backtest.strategies.sma_cross"
    for value in (f"{module}:STRATEGY", module):
        loaded = load_strategy("theirs", [_point("theirs", value)])
        assert loaded.strategy is load_strategy("sma_cross").strategy
        assert loaded.origin == f"package {module}, {value}"
        assert loaded.digest == load_strategy("sma_cross").digest


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("os.path:join", "os.path:split"), "2 installed packages bring it; remove all but one"),
        (("no_such_module_here:STRATEGY",), "cannot be imported: No module named"),
        (("os.path:join",), r"os\.path:join is function; the package has to name its STRATEGY there"),
        (("os.path",), r"os\.path is NoneType; the package has to name its STRATEGY there"),
    ],
)
def test_an_installed_strategy_that_cannot_be_used_says_why(values: tuple[str, ...], message: str) -> None:
    """Nobody picks one silently."""
    with pytest.raises(StrategyError, match=message):
        load_strategy("theirs", [_point("theirs", value) for value in values])


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """Without collections meanwhile: a stop that comes inside one is told as an unraisable exception, and comes again later."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def mine(folder: Path, body: str) -> Strategy:
    """The strategy whose `signals(frame)` is `body`."""
    return load_strategy(str(strategy_file(folder, body))).strategy


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3", r"strategy mine answered int; return Signals\.of\("),
        ("return None", r"strategy mine answered NoneType"),
        ("return Signals.of(frame, entry=no[1:], exit=no)", r"entry has shape \(59,\); it needs one value for each of 60 bars"),
        ("return Signals.of(frame, entry=no, exit=no[:, None])", r"exit has shape \(60, 1\)"),
        ("return Signals.of(frame, entry=no, exit=no, stop=frame.close[:5])", r"stop has shape \(5,\)"),
        ("return Signals(frame.close, no, frame.close, frame.close)", r"entry is of float64; it holds whole numbers: 1 long, -1 short"),
        ("return Signals(no.astype(np.int8), frame.close, frame.close, frame.close)", r"exit is of float64; it holds truths"),
        ("return Signals.of(frame, entry=no, exit=no, stop=no.astype(str))", r"stop is of .*; it holds prices, NaN for none"),
        ("return Signals.of(frame, entry=no, exit=no, target=no.astype(object))", r"target is of object"),
        (
            "return Signals(np.where(np.arange(count) == 9, 2, 0), no, frame.close, frame.close)",
            r"bar of 2015-01-10 00:00 UTC \(row 9\): entry is 2; it has to be 1, -1 or 0",
        ),
        ("return Signals(np.full(count, 257), no, frame.close, frame.close)", r"row 0\): entry is 257"),
        ("return Signals.of(frame, entry=~no, exit=no, stop=frame.close)", r"row 0\): stop is .* finite, positive and below the close"),
        ("return Signals.of(frame, entry=~no, exit=no, stop=frame.close - 1e6)", r"stop is -9.*; it has to be finite, positive"),
        ("return Signals.of(frame, entry=~no, exit=no, stop=np.full(count, -np.inf))", r"stop is -inf"),
        ("return Signals.of(frame, entry=~no, exit=no, target=np.full(count, np.inf))", r"target is inf"),
        ("return Signals.of(frame, entry=~no, exit=no, target=frame.low - 1)", r"target is .* positive and above the close"),
        ("return Signals.of(frame, entry=no, short=~no, exit=no, stop=frame.low - 1)", r"stop is .* positive and above the close"),
        ("return Signals.of(frame, entry=no, short=~no, exit=no, target=frame.high + 1)", r"target is .* positive and below the close"),
        ("x = 1\nreturn frame.closes", r"raised AttributeError in .*mine\.py, line 11: .*'closes'"),
        (
            "frame.close[3] = 0.0",
            r"raised ValueError in .*mine\.py, line 10: .*read-only; arrays of the frame are read-only: work on a copy",
        ),
        ("frame.sma(5).sort()", r"ValueError in .*work on a copy"),
        ("raise SystemExit(2)", r"raised SystemExit in .*line 10"),
        ("return signals(frame)", r"raised RecursionError in .*line \d+"),
        ("return frame['rsi_99']", r"there is no indicator 'rsi_99'"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_by_what_and_where(tmp_path: Path, body: str, message: str) -> None:
    """Column and bar, or exception and line."""
    with pytest.raises(StrategyError, match=message):
        ask(mine(tmp_path, body), random_frame(60), {}, seconds=None)


def test_levels_count_where_there_is_an_entry_and_nan_is_none(tmp_path: Path) -> None:
    """A stop above the close on a row that enters nothing is nobody's."""
    body = "entry = np.arange(count) == 30\nreturn Signals.of(frame, entry=entry, exit=no, stop=np.where(entry, np.nan, frame.close + 5))"
    signals = ask(mine(tmp_path, body), random_frame(60), {})
    assert signals.entry.tolist() == [0] * 30 + [1] + [0] * 29
    assert [str(a.dtype) for a in (signals.entry, signals.exit, signals.stop)] == ["int8", "bool", "float64"]
    assert np.isnan(signals.stop[30])


def test_series_and_whole_numbers_are_taken_as_arrays(tmp_path: Path) -> None:
    """Who thinks in pandas need not convert."""
    body = "return Signals((close > 100).astype(int), close < 90, close * 0.5, close.round().astype(int) * 2)"
    signals = ask(mine(tmp_path, body), random_frame(60), {})
    assert signals.entry.any()
    assert [str(a.dtype) for a in (signals.entry, signals.exit, signals.target)] == ["int8", "bool", "float64"]


def test_an_unknown_parameter_and_one_outside_its_bounds_are_refused_before_asking() -> None:
    """By name."""
    cross, frame = load_strategy("sma_cross").strategy, random_frame(60)
    with pytest.raises(StrategyError, match="has no parameter fats; it has fast, slow, stop"):
        ask(cross, frame, {"fats": 3})
    with pytest.raises(StrategyError, match="fast is 1; it has to be a whole number from 2 to 500"):
        ask(cross, frame, {"fast": 1})


LOOPS = {
    "bare": "while True:\n    pass",
    "that catches exceptions": "while True:\n    try:\n        np.sqrt(3.0)\n    except Exception:\n        pass",
    "over numbers": "for n in range(10**12):\n    np.zeros(10)",
}


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("loop", LOOPS)
def test_a_strategy_that_loops_is_stopped(tmp_path: Path, loop: str) -> None:
    """In the main thread, and in another one."""
    strategy, frame, told = mine(tmp_path, LOOPS[loop]), random_frame(60), []

    def asked() -> None:
        with pytest.raises(
            StrategyError, match=r"strategy mine: it ran longer than 0\.1 s and was stopped; a loop that never ends\?"
        ) as raised:
            ask(strategy, frame, {}, seconds=0.1)
        told.append(raised)

    asked()
    other = threading.Thread(target=asked)
    other.start()
    other.join(20)
    assert len(told) == 2


@pytest.mark.usefixtures("no_garbage")
def test_a_loop_that_swallows_everything_is_stopped_all_the_same() -> None:
    """It caught the first stop; the next one comes half a second later."""
    caught: list[BaseException] = []

    def stubborn() -> None:
        try:
            while True:
                pass
        except BaseException as error:  # noqa: BLE001 - what a bad strategy does
            caught.append(error)
        while True:
            pass

    with pytest.raises(TimeoutError, match=r"longer than 0\.1 s"):
        bounded(stubborn, 0.1, again=0.5)
    assert len(caught) == 1


@pytest.mark.usefixtures("no_garbage")
def test_nothing_is_stopped_after_its_end() -> None:
    """Calls that end just around their limit: each either answers or is stopped, and what comes after is left alone."""
    ends = []
    for number in range(60):
        limit = 0.004

        def nearly(until: float = time.monotonic() + limit * (0.8 + number / 150)) -> bool:
            while time.monotonic() < until:
                pass
            return True

        try:
            ends.append(bounded(nearly, limit))
        except TimeoutError:
            ends.append(False)
    calm: Callable[[], int] = lambda: sum(range(200_000))  # noqa: E731 - a stray stop would hit here
    assert [calm() for _ in range(5)] == [19_999_900_000] * 5
    assert len(ends) == 60


def test_an_answer_is_not_judged_by_its_prices_where_bars_were_changed_on_purpose(tmp_path: Path) -> None:
    """`answer` checks shape and types alone."""
    strategy = mine(tmp_path, "return Signals.of(frame, entry=~no, exit=no, stop=frame.close + 1)")
    assert answer(strategy, random_frame(60), {}).entry.all()
