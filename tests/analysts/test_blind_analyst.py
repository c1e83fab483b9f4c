"""A model behind the mask: it learns no name, day or level, and is understood."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from decision_kit import record, settings
from masks import INSTRUMENTS, MASK
from tools.scopes import RISE, scope
from trading_bot.analysts import sense
from trading_bot.analysts.answers import Judged
from trading_bot.analysts.masking import MaskedAsker
from trading_bot.analysts.sense import Grounds
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Target
from trading_bot.domain.research import Recommendation
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.running import Turn as Looked
from trading_bot.domain.values import DecisionId, Symbol
from trading_bot.llm.calls import CallId, Ending, Question, Reply, Session
from trading_bot.llm.mask import Mask
from trading_bot.llm.masking import KINDS, Kind
from trading_bot.ports import Brief, ToolGrant
from trading_bot.sandbox.claude_personas import play
from trading_bot.sandbox.claude_turn import Turn
from trading_bot.sandbox.claude_wire import Use
from trading_bot.tools import masked
from trading_bot.tools.registry import tool_named

CORE = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")
COMPANIES = ("Apple", "Tesla", "Nvidia", "NVIDIA", "Nasdaq", "S&P", "technology", "semiconductor")
SEEDS = (7, 8)
LEVELS = frozenset({Kind.PRICE, Kind.MEASURE, Kind.SHARES})


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


def test_the_briefing_of_a_trade_goes_out_masked_too() -> None:
    """No name, price or day of it; what opens a trade has none."""
    trade = RunningTrade(
        id=DecisionId("opened"),
        symbol=RISE,
        side=Side.BUY,
        quantity=Decimal(10),
        entry=Decimal("136.34"),
        opened_at=NOW,
        first_stop=Decimal(130),
        stop=Decimal(131),
        targets=(Target(price=Decimal(150), fraction=Decimal(1)),),
        confidence=0.7,
        thesis="RISE holds 130",
        turns=(Looked(at=NOW, who="claude", said="RISE holds 131"),),
    )
    inner = Answering({})
    asker = MaskedAsker(inner, MASK, lambda call: call)
    asker.ask(replace(question("RISE"), session=Session(trade=trade.id, briefing=trade.canonical())))
    assert inner.asked is not None
    assert inner.asked.session is not None
    told = json.loads(inner.asked.session.briefing)
    assert (told["symbol"], told["entry"], told["thesis"]) == ("ASSET02", "182.055", "ASSET02 holds #")
    assert not re.search(r"RISE|2024|13[016]", inner.asked.session.briefing)
    asker.ask(replace(question("RISE"), session=Session(trade=trade.id)))
    assert inner.asked.session == Session(trade=trade.id)


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
