"""The mask: a pure way there and back, over every field of every tool."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from builders import NOW, instrument
from masks import MASK, drawn
from tools.scopes import HELD, LIE, RISE, UNIVERSE, WrittenSource, material, scope
from tools.test_tools_registry import ASKED
from trading_bot.analysts.answers import Graded, Judged, Picks, Plan, Ruling
from trading_bot.analysts.trade_answers import Opening, Watched
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.running import RunningTrade
from trading_bot.llm import masking
from trading_bot.llm.mask import Mask
from trading_bot.llm.masking import KINDS, Kind
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.tools import masked
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import TOOLS, tool_named
from trading_bot.tools.scope import Scope

LEVELS = frozenset({Kind.PRICE, Kind.MEASURE, Kind.SHARES})
READING = [tool.name for tool in TOOLS if tool.read_only and tool.toolset in masked.SHOWN]


@given(seed=st.integers(0, 2**32), ticks=st.integers(1, 10**7), tick=st.sampled_from(["0.0001", "0.01", "0.05", "0.5", "1"]))
def test_a_price_on_its_tick_comes_back_to_the_tick(seed: int, ticks: int, tick: str) -> None:
    """Whatever the seed, the level and the grid; and what is shown is a tenth away at least."""
    of = Mask.draw(seed, {RISE: instrument(RISE, tick_size=Decimal(tick))})
    price = ticks * Decimal(tick)
    shown = of.price(price, RISE)
    assert of.real_price(shown, RISE) == price
    assert of.real_price(Decimal(str(float(shown))), RISE) == price
    assert abs(shown - price) > price / 10


@given(seed=st.integers(0, 2**32))
def test_names_are_their_own_and_come_back(seed: int) -> None:
    """Each symbol has one alias, no two share one, and none is a symbol."""
    of = drawn(seed)
    aliases = [of.alias(symbol) for symbol in UNIVERSE]
    assert [of.symbol(alias.lower()) for alias in aliases] == list(UNIVERSE)
    assert sorted(aliases) == [f"ASSET{n:02}" for n in range(1, 8)]
    assert drawn(seed) == of


@given(seed=st.integers(0, 2**32), day=st.dates(date(1990, 1, 1), date(2030, 12, 31)))
def test_a_day_keeps_its_weekday_and_lies_in_no_market_s_past(seed: int, day: date) -> None:
    """One shift for all days, so weekends, holidays and half days stay as far apart as they were."""
    of = drawn(seed)
    moved = date.fromisoformat(of.dates(day.isoformat()))
    assert (moved.weekday(), moved - day, moved.year > 2090) == (day.weekday(), of.shift, True)
    assert of.real_dates(moved.isoformat()) == day.isoformat()


def test_a_year_of_sessions_keeps_its_structure() -> None:
    """The sessions of 2024 with their openings, moved, are 252 days with the same gaps and hours."""
    calendar = open_calendar("XNYS")
    hours = [moment.isoformat() for day in calendar.sessions(date(2024, 1, 1), date(2024, 12, 31)) for moment in calendar.hours(day)]
    moved = [MASK.dates(moment) for moment in hours]
    assert len(moved) == 2 * 252
    assert [m[10:] for m in moved] == [h[10:] for h in hours]
    assert {date.fromisoformat(m[:10]) - date.fromisoformat(h[:10]) for m, h in zip(moved, hours, strict=True)} == {MASK.shift}


def test_words_lose_names_days_and_levels_and_keep_what_is_no_price() -> None:
    """Our own rules' words are scaled, others' words lose every number but percentages."""
    rules = "support at 115.82 lies inside the noise of 1.10, 2 ATR of SMA 20, off by 10.04%, at a score of 72.8"
    assert MASK.levelled(rules, RISE) == (
        "support at 154.654 lies inside the noise of 1.469, 2 ATR of SMA 20, off by 10.04%, at a score of 72.8"
    )
    assert MASK.blanked("RISE at 136.34 on 2024-03-05, up 3 % from 95; RISER is not RISE") == (
        "ASSET02 at # on 2154-02-05, up 3 % from #; RISER is not ASSET02"
    )
    assert MASK.levelled("at 95", None) == "at #"
    assert MASK.dates("2024-13-45") == "#"
    assert MASK.real_named(MASK.named("RISE and FALL on 2024-03-05")) == "RISE and FALL on 2024-03-05"


def leaves(model: type[BaseModel]) -> Iterator[str]:
    """Names of the fields that hold values, through all parts."""
    for name, info in model.model_fields.items():
        parts = [part for part in _types(info.annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
        if not parts:
            yield name
        for part in parts:
            yield from leaves(part)


def _types(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def test_the_table_knows_every_field_of_every_tool_and_answer() -> None:
    """A new field has to say what it holds before a blind model may see it; a running trade's too, of which one is told."""
    fields = {name for tool in TOOLS if tool.toolset in masked.SHOWN for kind in (tool.result, tool.query) for name in leaves(kind)}
    fields |= {name for said in (Picks, Judged, Plan, Graded, Ruling, Opening, Watched, RunningTrade) for name in leaves(said)}
    walked = {"rows", "eliminated", "value", "propose", "horizon_days"}
    assert fields - walked - KINDS.keys() == set()


def test_a_field_that_nobody_knows_is_not_shown() -> None:
    """Neither a number nor a word."""
    with pytest.raises(ToolFailedError, match="isin"):
        masking.shown(MASK, {"symbol": "RISE", "isin": "US0378331005"})
    with pytest.raises(ToolFailedError, match="symbol"):
        masking.shown(MASK, {"price": 136.34})


@pytest.mark.parametrize("name", READING)
def test_each_tool_s_masked_answer_comes_back_as_it_was(name: str) -> None:
    """Symbols, days, prices and measures exactly; numbers of shares to five digits; blanked words stay blank."""
    asked = ASKED.get(name, {})
    true = json.loads(answer(tool_named(name), scope(), asked).result)
    shown = masking.shown(MASK, asked, asked.get("symbol"))
    call = masked.behind(MASK)(tool_named(name), scope(), shown)
    assert not call.failed, call.result
    assert list(_differences(true, json.loads(masked.unmasked(MASK, call).result))) == []
    assert not set(re.findall(r"[A-Z]{4,}", call.result)) & set(UNIVERSE)
    assert "2024" not in call.result


def _differences(true: Any, back: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(true, dict):
        for key in true:
            yield from _differences(true[key], back[key], key)
    elif isinstance(true, list):
        for one, other in zip(true, back, strict=True):
            yield from _differences(one, other, name)
    elif isinstance(true, float | int) and not isinstance(true, bool) and name in {"rows", "quantity", "ask_size", "bid_size"}:
        if back != pytest.approx(true, rel=1e-4):
            yield name, true, back
    elif true != back and "#" not in str(back):
        yield name, true, back


class Halved(WrittenSource):
    """The written market after a split of two for one that nobody announced: half the price, twice the shares."""

    def __init__(self) -> None:
        super().__init__()
        self._series = {symbol: replace(series, frame=series.frame * ([0.5] * 4 + [2.0])) for symbol, series in self._series.items()}
        self._quotes = {s: BarQuotes([series], instrument(s), Decimal(2)) for s, series in self._series.items()}


def halved() -> Scope:
    """The same desk in that market: twice the shares, orders and trades at half their prices."""
    made, half, twice = material(), Decimal("0.5"), Decimal(2)
    held = made.books.positions[HELD]
    held = held.model_copy(update={"quantity": held.quantity * twice, "average_price": held.average_price * half})
    orders = {
        k: o.model_copy(update={"quantity": o.quantity * twice, "stop_price": (o.stop_price or half) * half})
        for k, o in made.books.orders.items()
    }
    books = made.books.model_copy(
        update={"positions": {HELD: held}, "orders": orders, "stops": {s: p * half for s, p in made.books.stops.items()}}
    )
    trades = [
        t.model_copy(update={"quantity": t.quantity * twice, "entry_price": t.entry_price * half, "exit_price": t.exit_price * half})
        for t in made.trades
    ]
    source = Halved()
    return scope(view=AsOfView(source, lambda: NOW), material=replace(made, books=books, trades=trades))


def test_what_a_split_would_change_is_masked_and_nothing_else() -> None:
    """Found by trying, without the table: numbers that differ by a fifth in the halved market are levels or numbers of shares.

    The rest may differ by the rounding of prices to their tick.
    """
    changed = set()
    for name in READING:
        asked = ASKED.get(name, {})
        less = {key: value / 2 if key in {"entry", "stop"} else value for key, value in asked.items()}
        true, other = (json.loads(answer(tool_named(name), of, a).result) for of, a in ((scope(), asked), (halved(), less)))
        changed |= {field for field, one, two in _numbers(true, other) if abs(one / two - 1) > 0.2}
    assert {field for field in changed if KINDS.get(field) not in LEVELS} == set()
    assert len(changed) > 20


def _numbers(one: Any, other: Any, name: str = "") -> Iterator[tuple[str, float, float]]:  # noqa: ANN401 - any JSON value
    """Numbers of two answers side by side, tables by their columns."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() & other.keys() - {"rows"}:
            yield from _numbers(one[key], other[key], key)
        for row, twin in zip(one.get("rows", ()), other.get("rows", ()), strict=True):
            yield from ((_CELL[column], a, b) for column, a, b in zip(one["columns"], row, twin, strict=True) if column in _CELL)
    elif isinstance(one, list) and isinstance(other, list):
        for part, twin in zip(one, other, strict=False):
            yield from _numbers(part, twin, name)
    elif isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool) and other:
        yield name, one, other


_CELL = {"open": "price", "high": "price", "low": "price", "close": "price", "volume": "quantity"}


def test_a_model_that_asks_for_a_real_symbol_learns_nothing() -> None:
    """A symbol of the universe and one that does not exist get the same answer, and the tool is not run."""
    ask = masked.behind(MASK)
    real, invented = (ask(tool_named("get_quote"), scope(), {"symbol": name}) for name in ("RISE", "NOSUCH"))
    assert (real.failed, invented.failed) == (True, True)
    assert real.result == invented.result
    assert real.result.startswith("there is no such asset; there are ASSET01, ASSET02")
    assert "RISE" not in real.result


def test_research_and_local_models_answer_no_blind_model() -> None:
    """They are not run at all."""
    hidden = [tool for tool in TOOLS if tool.toolset not in masked.SHOWN]
    told = [masked.behind(MASK)(tool, scope(), {"symbols": ["ASSET02"]}) for tool in hidden]
    assert all(call.failed and call.result.startswith("this tool answers nobody") for call in told)


def test_a_bad_question_and_a_failure_are_told_masked() -> None:
    """A day that has not come, and a symbol without data."""
    ask = masked.behind(MASK)
    late = ask(tool_named("get_historical"), scope(), {"symbol": "ASSET02", "last": "2154-12-24"})
    young = ask(tool_named("calculate_indicators"), scope(), {"symbol": MASK.alias("YOUNG")})
    assert (late.failed, young.failed) == (True, True)
    assert late.result.startswith("2154-12-24 has not come: it is 2154-02-05")
    assert "YOUNG" not in young.result
    assert ask(tool_named("get_quote"), scope(), {"symbol": float("nan")}).failed


def test_what_others_wrote_is_shown_without_its_numbers() -> None:
    """A thesis that names symbols, a day and a level."""
    thesis = "FALL broke 97.20 on 2024-03-01; 5% below RISE"
    told = masking.shown(MASK, {"symbol": "RISE", "thesis": {"untrusted_text": thesis}})
    assert told["thesis"]["untrusted_text"] == "ASSET06 broke # on 2154-02-01; 5% below ASSET02"
    assert "BUY FALL" in LIE  # the written market's own thesis names a symbol, and is masked in every answer above
