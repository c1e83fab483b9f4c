"""A desk that never closes: it looks for a trade, watches the one that runs, is woken by what is unusual, and survives what fails."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coin_kit import BTC, START, Script, assembled, hold, market, opening, proposing, run, unanswered
from trading_bot.bootstrap.desk import Assembly
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.proposals import Decision, Outcome, Proposal, ProposalKind
from trading_bot.domain.records import Anomaly, AnomalyKind, DeskState, TaskRun, Trouble
from trading_bot.domain.values import Symbol
from trading_bot.storage.export import export
from trading_bot.storage.journal import SqlJournal


def crash_at(hhmm: str, change: float) -> Callable[[datetime], float]:
    """A market that moves by `change` within the five minutes from this time of the first day on."""

    def change_of(moment: datetime) -> float:
        return change if f"{moment:%H:%M}" == hhmm and moment.date() == START.date() else 0.0

    return change_of


def positions(assembly: Assembly) -> dict[Symbol, Decimal]:
    """What the books hold."""
    return {s: p.quantity for s, p in assembly.desk.engine.ledger.books.positions.items()}


def stops(assembly: Assembly) -> list[tuple[Decimal, Decimal]]:
    """Quantity and price of the stops that rest at the venue."""
    return [(o.quantity, o.stop_price or Decimal(0)) for o in assembly.broker.open_orders() if o.role is OrderRole.STOP_LOSS]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market in which nothing happens."""
    return market(tmp_path_factory.mktemp("quiet"))


def test_a_flat_desk_looks_for_a_trade_at_each_interval_from_midnight(quiet: Path, tmp_path: Path) -> None:
    """Five looks in the first hour, none of them anything but a look for a trade."""
    script = Script()
    ended = run(assembled(tmp_path, quiet, script), "10-06 01:00")
    assert script.heard == [(f"{h:02}:{m:02}", "open") for h, m in ((0, 0), (0, 15), (0, 30), (0, 45), (1, 0))]
    assert [task for task, _, _ in ended] == ["look-0000", "look-0015", "look-0030", "look-0045", "look-0100"]


def test_the_interval_is_a_setting(quiet: Path, tmp_path: Path) -> None:
    """Each hour: three looks by two o'clock."""
    script = Script()
    run(assembled(tmp_path, quiet, script, {"trader.interval_minutes": 60}), "10-06 02:00")
    assert [when for when, _ in script.heard] == ["00:00", "01:00", "02:00"]


def test_who_opened_a_trade_watches_it_until_the_books_are_flat_and_then_looks_again(quiet: Path, tmp_path: Path) -> None:
    """Opened at the second look, with its stop at the venue at once; closed at the fourth; the fifth looks for a trade again."""
    script = Script(opens={"00:15": opening()}, watches={"00:45": proposing(ProposalKind.CLOSE)})
    assembly = assembled(tmp_path, quiet, script)
    run(assembly, "10-06 00:15")
    held = positions(assembly)[BTC]
    assert [quantity for quantity, _ in stops(assembly)] == [held]
    run(assembly, "10-06 01:00")
    assert [what for _, what in script.heard] == ["open", "open", "watch", "watch", "open"]
    opened = next(d for d in assembly.journal.all(Decision) if d.workflow == "open" and "a script's idea" in d.output)
    assert {trade.id for trade in script.trades} == {opened.id}
    assert script.trades[1].turns[-1].said == "hold"
    assert positions(assembly) == {}


def test_a_short_is_guarded_from_above(quiet: Path, tmp_path: Path) -> None:
    """The mirror of a long."""
    assembly = assembled(tmp_path, quiet, Script(opens={"00:00": opening(Side.SELL)}))
    run(assembly, "10-06 00:00")
    held, [(guarded, stop)] = positions(assembly)[BTC], stops(assembly)
    assert held < 0
    assert guarded == -held
    assert stop > 100_000


def test_margin_is_a_quarter_of_the_balance_at_most(quiet: Path, tmp_path: Path) -> None:
    """A stop so near that risk would allow far more."""
    assembly = assembled(tmp_path, quiet, Script(opens={"00:00": opening(stop="0.002")}))
    run(assembly, "10-06 00:00")
    value = positions(assembly)[BTC] * 100_000
    assert Decimal("0.70") * 10_000 < value <= Decimal("0.75") * 10_000


def test_a_stop_that_is_hit_between_two_looks_ends_the_trade_without_anybody(tmp_path: Path) -> None:
    """The venue's stop does it; the next look finds the books flat."""
    data = market(tmp_path, crash_at("00:20", -0.02))
    script = Script(opens={"00:15": opening()})
    assembly = assembled(tmp_path / "home", data, script)
    run(assembly, "10-06 00:30")
    assert [what for _, what in script.heard] == ["open", "open", "open"]
    assert assembly.desk.engine.ledger.trades.closed[0].exit_role is OrderRole.STOP_LOSS


def test_what_an_answer_says_of_another_coin_or_of_opening_is_not_done(quiet: Path, tmp_path: Path) -> None:
    """The books decide which trade runs."""
    other = proposing(ProposalKind.CLOSE, symbol=Symbol("ETHUSDT"))
    assembly = assembled(tmp_path, quiet, Script(opens={"00:00": opening()}, watches={"00:15": other}))
    ended = run(assembly, "10-06 00:15")
    assert ended[-1] == ("look-0015", "done", "close ETHUSDT is not about the trade: not done")
    assert positions(assembly)[BTC] > 0


def test_a_stop_moves_to_less_risk_alone(quiet: Path, tmp_path: Path) -> None:
    """Nearer is done, further away is refused."""
    nearer, further = (proposing(ProposalKind.MOVE_STOP, stop_loss=Decimal(price)) for price in ("99500", "98000"))
    script = Script(opens={"00:00": opening()}, watches={"00:15": nearer, "00:30": further})
    assembly = assembled(tmp_path, quiet, script)
    ended = run(assembly, "10-06 00:30")
    assert [reason for _, _, reason in ended[1:]] == ["move_stop BTCUSDT: approved", "move_stop BTCUSDT: rejected"]
    assert [price for _, price in stops(assembly)] == [Decimal(99500)]


def test_a_sudden_move_wakes_the_analyst_at_once(tmp_path: Path) -> None:
    """Not at the next look but at the close of the bar, with the reason; once, however long it lasts."""
    data = market(tmp_path, crash_at("00:20", 0.008))
    script = Script(opens={"00:15": opening()}, watches={"wake": proposing(ProposalKind.REDUCE, fraction=Decimal("0.5"))})
    assembly = assembled(tmp_path / "home", data, script)
    before = run(assembly, "10-06 00:15")
    whole = positions(assembly)[BTC]
    after = run(assembly, "10-06 00:30")
    assert [task for task, _, _ in after[len(before) :]] == ["wake-002500", "look-0030"]
    assert script.heard[2][0] == "00:25"
    assert script.heard[2][1].startswith("volatility: a move of +")
    assert positions(assembly)[BTC] < whole
    assert [a.what for a in assembly.journal.all(Anomaly)] == [AnomalyKind.VOLATILITY]


def test_a_flat_desk_is_not_woken(tmp_path: Path) -> None:
    """There is nothing to guard."""
    script = Script()
    run(assembled(tmp_path / "home", market(tmp_path, crash_at("00:20", 0.05)), script), "10-06 00:30")
    assert [when for when, _ in script.heard] == ["00:00", "00:15", "00:30"]


def test_an_anomaly_that_nobody_answers_makes_the_desk_reduce_only(tmp_path: Path) -> None:
    """Without a budget nobody is asked: the position stays guarded, and no new risk is taken."""
    data = market(tmp_path, crash_at("00:20", 0.008))
    script = Script(opens={"00:15": opening()}, watches={"wake": lambda _b, _t: unanswered("over_budget: budget_spent")})
    assembly = assembled(tmp_path / "home", data, script)
    ended = run(assembly, "10-06 00:30")
    assert ("wake-002500", "skipped", "nobody answered: over_budget: budget_spent") in ended
    assert assembly.desk.switch.state() is DeskState.REDUCE_ONLY
    assert [quantity for quantity, _ in stops(assembly)] == [positions(assembly)[BTC]]


def test_three_failures_in_a_row_make_the_desk_reduce_only_and_are_told(quiet: Path, tmp_path: Path) -> None:
    """Each is recorded; the trade that runs keeps its stop all the while, and is watched again as soon as somebody answers."""
    told: list[str] = []
    script = Script(opens={"00:00": opening()}, watches={when: lambda _b, _t: unanswered() for when in ("00:15", "00:30", "00:45")})
    assembly = assembled(tmp_path, quiet, script)
    engine: Any = assembly.desk.engine
    engine.tell = lambda title, _body: told.append(title)
    run(assembly, "10-06 00:30")
    assert assembly.desk.switch.state() is DeskState.RUNNING
    run(assembly, "10-06 01:00")
    assert assembly.desk.switch.state() is DeskState.REDUCE_ONLY
    assert told == ["3 looks in a row failed"]
    assert [t.number for t in assembly.journal.all(Trouble)] == [1, 2, 3, 0]
    assert script.heard[-1] == ("01:00", "watch")
    assert [quantity for quantity, _ in stops(assembly)] == [positions(assembly)[BTC]]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (unanswered("the model declined", Outcome.REFUSED), "done"),
        (unanswered("unsure", Outcome.ABSTAINED), "done"),
        (unanswered("over_budget: budget_spent"), "skipped"),
        (unanswered("usage_limit: the vendor's usage limit is reached"), "skipped"),
        (unanswered("unparseable: it gave no structured answer"), "failed"),
    ],
)
def test_refusals_and_limits_are_no_failures(answer: Any, status: str, quiet: Path, tmp_path: Path) -> None:  # noqa: ANN401 - an answer
    """A desk whose budget is spent has not failed."""
    ended = run(assembled(tmp_path, quiet, Script(opens={"00:00": lambda _brief: answer})), "10-06 00:00")
    assert ended[0][1] == status


def test_a_desk_that_may_take_no_risk_asks_nobody(quiet: Path, tmp_path: Path) -> None:
    """What would be refused anyway is not paid for."""
    script = Script()
    assembly = assembled(tmp_path, quiet, script)
    assembly.desk.switch.reduce_only("a person", "a test", assembly.desk.clock.now())
    ended = run(assembly, "10-06 00:00")
    assert ended == [("look-0000", "skipped", "desk_state: reduce_only (limit running)")]
    assert script.heard == []


def test_a_desk_that_has_had_its_trades_of_the_day_asks_nobody(quiet: Path, tmp_path: Path) -> None:
    """The gate would say no to whatever comes."""
    script = Script(opens={"00:00": opening()}, watches={"00:15": proposing(ProposalKind.CLOSE)})
    assembly = assembled(tmp_path, quiet, script, {"risk.limits.trades_per_day": 1})
    ended = run(assembly, "10-06 00:30")
    assert ended[-1] == ("look-0030", "skipped", "trades_per_day: 1 (limit 1)")
    assert [when for when, _ in script.heard] == ["00:00", "00:15"]


def test_the_day_is_reviewed_at_midnight_before_the_next_look(quiet: Path, tmp_path: Path) -> None:
    """A session is a UTC day."""
    ended = run(assembled(tmp_path, quiet, Script(), {"trader.interval_minutes": 720}), "10-07 00:00")
    assert [task for task, _, _ in ended] == ["look-0000", "look-1200", "end-of-day", "look-0000"]


def test_a_stock_has_no_place_on_a_desk_of_coins(quiet: Path, tmp_path: Path) -> None:
    """It keeps other hours."""
    with pytest.raises(ConfigError, match=r"AAPL keeps the hours of XNYS.*name coins"):
        assembled(tmp_path, quiet, Script(), {"source.name": "synthetic", "universe.symbols": ["AAPL"]})


def test_a_bug_is_logged_without_the_values_of_variables(quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of them may be a key."""

    def broken(_brief: object) -> Any:  # noqa: ANN401 - it never answers
        key = "sk-" + "not-for-the-log"
        raise RuntimeError("a bug" if key else "none")

    ended = run(assembled(tmp_path, quiet, Script(opens={"00:00": broken})), "10-06 00:00")
    logged = capsys.readouterr().out
    assert ended[0] == ("look-0000", "failed", "RuntimeError: a bug")
    assert "in broken" in logged
    assert "sk-not-for-the-log" not in logged


class KilledError(BaseException):
    """Stands for SIGKILL: nobody in the desk catches it."""


def eventful() -> Script:
    """Opens, is woken and reduces, moves the stop, closes, opens again."""
    return Script(
        opens={"00:15": opening(), "01:15": opening(Side.SELL)},
        watches={
            "wake": proposing(ProposalKind.REDUCE, fraction=Decimal("0.5")),
            "00:30": proposing(ProposalKind.MOVE_STOP, stop_loss=Decimal(99800)),
            "00:45": hold,
            "01:00": proposing(ProposalKind.CLOSE),
        },
    )


def exported(home: Path) -> str:
    """The journal as it is compared."""
    with SqlJournal.open(home / "journal.db") as journal:
        return "\n".join(export(journal))


def test_a_desk_killed_at_any_write_and_started_again_does_the_same(tmp_path: Path) -> None:
    """Every eighth write of an eventful hour and a half, in every state of the loop."""
    data = market(tmp_path, crash_at("00:20", 0.008))
    assembly = assembled(tmp_path / "undisturbed", data, eventful())
    writes = counted(assembly)
    run(assembly, "10-06 01:30")
    wanted = exported(tmp_path / "undisturbed")
    assert {p.action for p in assembly.journal.all(Proposal)} == {"open", "reduce", "move_stop", "close"}
    for number in range(1, len(writes) + 1, 8):
        home = tmp_path / f"killed-{number}"
        with pytest.raises(KilledError):
            run(dying(assembled(home, data, eventful()), number), "10-06 01:30")
        run(assembled(home, data, eventful()), "10-06 01:30")
        assert exported(home) == wanted, f"killed at write {number} ({writes[number - 1]})"


def counted(assembly: Assembly) -> list[str]:
    """What is appended to the journal from now on."""
    journal: Any = assembly.journal
    append, seen = journal.append, []

    def noted(*records: Any) -> None:  # noqa: ANN401 - as the journal's
        append(*records)
        seen.append(", ".join(record.kind for record in records))

    journal.append = noted
    return seen


def dying(assembly: Assembly, number: int) -> Assembly:
    """Let the journal's write with this number be the last thing that the process did."""
    journal: Any = assembly.journal
    append, seen = journal.append, [0]

    def noted(*records: Any) -> None:  # noqa: ANN401 - as the journal's
        append(*records)
        seen[0] += 1
        if seen[0] == number:
            raise KilledError

    journal.append = noted
    return assembly


def test_the_streak_of_failures_survives_a_restart(quiet: Path, tmp_path: Path) -> None:
    """Two before, one after."""
    failing = Script(opens={"always": lambda _brief: unanswered()})
    run(assembled(tmp_path, quiet, failing), "10-06 00:15")
    assembly = assembled(tmp_path, quiet, failing)
    run(assembly, "10-06 00:30")
    assert assembly.desk.switch.state() is DeskState.REDUCE_ONLY
    assert len(assembly.journal.all(TaskRun)) == 6
