"""The mask: a pure way there and back, over every field of every tool, and a model behind it who learns nothing and is understood.

By hand: seed 7 gives RISE the factor 1.3353, so its 136.34 is shown as 182.055 (136.34 x 1.3353 = 182.0548, on a grid of 0.001, since half
of a tick's 0.01 x 1.3353 is 0.0067).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from builders import NOW, instrument
from decision_kit import record, settings
from tools.scopes import HELD, LIE, RISE, UNIVERSE, WrittenSource, material, scope
from tools.test_tools_registry import ASKED
from trading_bot.analysts import sense
from trading_bot.analysts.answers import Graded, Judged, Picks, Plan, Ruling
from trading_bot.analysts.masking import MaskedAsker
from trading_bot.analysts.sense import Grounds
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.research import Recommendation
from trading_bot.domain.values import Symbol
from trading_bot.llm import masking
from trading_bot.llm.calls import CallId, Ending, Question, Reply
from trading_bot.llm.mask import Mask
from trading_bot.llm.masking import KINDS, Kind
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import Brief, ToolGrant
from trading_bot.sandbox.claude_personas import play
from trading_bot.sandbox.claude_turn import Turn
from trading_bot.sandbox.claude_wire import Use
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.tools import masked
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import TOOLS, tool_named
from trading_bot.tools.scope import Scope

CORE = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")
COMPANIES = ("Apple", "Tesla", "Nvidia", "NVIDIA", "Nasdaq", "S&P", "technology", "semiconductor")
SEEDS = (7, 8)
LEVELS = frozenset({Kind.PRICE, Kind.MEASURE, Kind.SHARES})
READING = [tool.name for tool in TOOLS if tool.read_only and tool.toolset in masked.SHOWN]


INSTRUMENTS = {symbol: WrittenSource().instrument(symbol) for symbol in UNIVERSE}


def drawn(seed: int) -> Mask:
    """The mask of the written market."""
    return Mask.draw(seed, INSTRUMENTS)


MASK = drawn(7)


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
    """A new field has to say what it holds before a blind model may see it."""
    fields = {name for tool in TOOLS if tool.toolset in masked.SHOWN for kind in (tool.result, tool.query) for name in leaves(kind)}
    fields |= {name for said in (Picks, Judged, Plan, Graded, Ruling) for name in leaves(said)}
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


def test_research_tools_answer_no_blind_model() -> None:
    """They are not run at all."""
    hidden = [tool for tool in TOOLS if tool.toolset not in masked.SHOWN]
    told = [masked.behind(MASK)(tool, scope(), {"symbols": ["ASSET02"]}) for tool in hidden]
    assert all(call.failed and call.result.startswith("research tools answer nobody") for call in told)


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


@dataclass
class Answering:
    """An asker that says one thing, and keeps what it was asked."""

    output: Mapping[str, Any] | None
    calls: tuple[Any, ...] = ()
    asked: Question | None = None

    def ask(self, question: Question) -> Reply:
        """Say it."""
        self.asked = question
        return Reply(CallId("c"), Ending.ANSWERED, self.output, self.calls, "m", "ASSET02 it is")


HERE = scope()
BRIEF = Brief(HERE.decision, HERE.view, HERE.material.books, HERE.universe)


def question(arguments: str, complaint: str = "") -> Question:
    """A question about the written market."""
    return Question("optimize", arguments, {}, ToolGrant(BRIEF, ()), complaint=complaint)


def ask(inner: Answering, arguments: str = "RISE", complaint: str = "") -> Reply:
    """Put a question through the mask."""
    return MaskedAsker(inner, MASK, lambda call: masked.unmasked(MASK, call)).ask(question(arguments, complaint))


def test_the_question_goes_out_masked_and_says_by_which_mask() -> None:
    """Symbol, complaint, and a whole proposal as JSON."""
    inner = Answering({})
    ask(inner, "RISE", "entry 136.34 of RISE lies 7 % off")
    assert inner.asked is not None
    assert (inner.asked.arguments, inner.asked.complaint) == ("ASSET02", "entry # of ASSET02 lies 7 % off")
    assert json.loads(inner.asked.mask)["seed"] == 7
    ask(inner, json.dumps({"symbol": "RISE", "entry": "136.34", "targets": ["140", "141.5"], "thesis": "RISE to 150", "exposure": "0.5"}))
    assert json.loads(inner.asked.arguments) == {
        "symbol": "ASSET02",
        "entry": "182.055",
        "targets": ["186.942", "188.945"],
        "thesis": "ASSET02 to #",
        "exposure": "0.5",
    }
    assert ask(inner, "--period 7 --detailed").note == "RISE it is"
    assert inner.asked.arguments == "--period 7 --detailed"


def test_an_answer_comes_back_in_the_desk_s_own_terms() -> None:
    """Prices on the tick, claims by the symbol of the fact that they cite, words with real names; shares and scores as they are."""
    call = masked.behind(MASK)(tool_named("calculate_position_risk"), scope(), {"symbol": "ASSET02"})
    shown = json.loads(call.result)
    said = {
        "symbol": "asset02",
        "entry": shown["entry"],
        "stop": shown["stop_loss"],
        "targets": [{"price": 186.9, "fraction": 1}],
        "exposure": 0.75,
        "reason": "ASSET02 holds",
        "claims": [
            {"evidence": call.evidence, "field": "entry", "value": shown["entry"]},
            {"evidence": call.evidence, "field": "plan.score", "value": 72.8},
            {"evidence": "nowhere", "field": "entry", "value": 1.0},
        ],
    }
    told = ask(Answering(said, (call,)))
    assert told.output is not None
    assert told.output == {
        "symbol": "RISE",
        "entry": 136.33,
        "stop": 134.58,
        "targets": [{"price": 139.97, "fraction": 1}],  # 186.9 / 1.3353 = 139.9685
        "exposure": 0.75,
        "reason": "RISE holds",
        "claims": [
            {"evidence": call.evidence, "field": "entry", "value": 136.33},
            {"evidence": call.evidence, "field": "plan.score", "value": 72.8},
            {"evidence": "nowhere", "field": "entry", "value": 0.75},  # 1 / 1.3353 = 0.7489
        ],
    }
    assert json.loads(told.calls[0].result)["entry"] == 136.33


def test_a_real_name_that_a_blind_model_says_is_neither_believed_nor_confirmed() -> None:
    """It guessed right: its answer is about nobody, and what is told of it, as complaint or memory, does not say whose name that is."""
    told = ask(Answering({"symbol": "RISE", "entry": 136.33, "thesis": "ASSET02 is RISE, as everybody knows", "claims": []}))
    assert told.output is not None
    assert (told.output["symbol"], told.output["thesis"]) == ("UNKNOWN", "RISE is UNKNOWN, as everybody knows")
    said = Judged(symbol=Symbol("UNKNOWN"), recommendation=Recommendation.BUY, confidence=0.6, thesis="it is RISE")
    wrong = sense.of_judged(said, Grounds(as_of=NOW, universe=(RISE,), symbol=RISE, stop=134.58), ())
    assert wrong[0] == "the question was about RISE, not UNKNOWN"
    assert MASK.blanked(wrong[0]) == "the question was about ASSET02, not UNKNOWN"
    assert MASK.blanked(str(told.output["thesis"])) == "ASSET02 is UNKNOWN, as everybody knows"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*KINDS, "claims", "candidates", "value", "?"]), inner),
    max_leaves=12,
)


@given(said=st.dictionaries(st.sampled_from(["symbol", "entry", "targets", "claims", "candidates", "rows", "thesis", "limits"]), _JSON))
def test_nothing_that_a_blind_model_says_raises(said: dict[str, Any]) -> None:
    """Whatever its shape: the checks find fault with it."""
    assert ask(Answering(said)).output is not None


def numbers(text: str) -> set[str]:
    """Numbers of a text to four significant digits, those that have as many."""
    found = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])", text)
    return {f"{float(n):.4g}" for n in found if len(n.replace(".", "").strip("0")) >= 4}


def of_kind(sent: str, wanted: frozenset[Kind]) -> set[str]:
    """Numbers of the tools' results in what was sent, by what their fields hold, to four significant digits."""
    blocks = [b for m in json.loads(sent)["messages"] if isinstance(m["content"], list) for b in m["content"]]
    results = [json.loads(b["content"]) for b in blocks if b["type"] == "tool_result" and not b["is_error"]]
    return {n for result in results for value, kind in _values(result) if kind in wanted for n in numbers(str(value))}


def _values(node: Any, name: str = "") -> Iterator[tuple[Any, Kind]]:  # noqa: ANN401 - any JSON value
    if isinstance(node, dict):
        for key, part in node.items():
            yield from _values(part, key)
    elif isinstance(node, list):
        for part in node:
            yield from _values(part, name)
    elif isinstance(node, float | int) and not isinstance(node, bool):
        yield node, KINDS.get(name, Kind.PLAIN)


@cache
def days(shared: Path, folder: Path, mask: int | None) -> Sequence[str]:
    """What a model was sent over two weeks of real prices, whole conversations."""
    made = settings(shared / "data/us_daily_core", CORE, **{"claude.approver": "claude"})
    return record(folder / f"mask-{mask}", made, date(2024, 5, 20), date(2024, 5, 31), mask=mask).sent


def test_no_name_day_or_price_reaches_a_blind_model(shared: Path, tmp_path: Path) -> None:
    """Every step of two weeks: screens, analyses, plans, second opinions, reviews of days and weeks, with trades between them.

    A price could be met by chance: a real level that stands in the question under both of two seeds is none.
    """
    plain, *blind = (days(shared, tmp_path, mask) for mask in (None, *SEEDS))
    assert {len(sent) for sent in (plain, *blind)} == {len(plain)}
    assert len(plain) > 40
    for sent in blind:
        text = "\n".join(sent)
        assert [word for word in (*CORE, *COMPANIES, "2024", "2023") if word in text] == []
    leaked = []
    for true, one, other in zip(plain, *blind, strict=True):
        real = of_kind(true, LEVELS) - of_kind(true, frozenset({Kind.PLAIN}))
        leaked += sorted(real & numbers(one) & numbers(other))
    assert sum(len(of_kind(true, LEVELS)) for true in plain) > 300
    assert leaked == []
    assert sum(bool(re.search(r'"name": "SECTOR|second-opinion', true)) for true in blind[0]) > 0


def test_a_lie_is_found_out_behind_the_mask_and_its_repair_is_asked_masked(shared: Path, tmp_path: Path) -> None:
    """An invented score is refused, the complaint shows no number, and the second answer, which is true, is believed."""

    def liar(turn: Turn) -> Any:  # noqa: ANN401 - a reply
        reply = play(turn)
        final = reply.blocks[0]
        if turn.persona != "analyzer" or "Your last answer was refused" in turn.arguments or not isinstance(final, Use):
            return reply
        if "claims" not in final.input:
            return reply
        claims = [{**claim, "value": 99.9} for claim in final.input["claims"]]
        return type(reply)((Use(final.name, {**final.input, "claims": claims}),))

    made = settings(shared / "data/us_daily_core", CORE)
    model = record(tmp_path / "lied", made, date(2024, 5, 16), date(2024, 5, 16), mask=7, script=liar)
    repaired = [sent for sent in model.sent if "Your last answer was refused" in sent]
    assert len(repaired) == 3
    assert all("by" in sent and "that result says #" in sent for sent in repaired)
    assert all(json.loads(path.read_text())["output"] is not None for path in (tmp_path / "lied").glob("*-2.json"))


def test_masks_of_two_universes_differ_and_say_so() -> None:
    """The key names seed and content."""
    smaller = Mask.draw(7, {RISE: INSTRUMENTS[RISE]})
    assert smaller.key != MASK.key
    assert smaller.assets[RISE].factor == MASK.assets[RISE].factor
    assert Mask.draw(8, {RISE: INSTRUMENTS[RISE]}).key != smaller.key
    assert MASK.shift % timedelta(weeks=1) == timedelta(0)
