"""The analyst's decisions over recorded weeks: replayed from cassettes alone, behind a mask, split at the cut-off, tried for memory."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claude_kit import binary
from decision_kit import Told, knowing, record, settings
from trading_bot.backtest.knowledge import knowledge
from trading_bot.backtest.leak import LEAST_PAIRS, Judgement, leak_score
from trading_bot.backtest.plan import Engine
from trading_bot.bootstrap.cassettes import META, Recorded, begin
from trading_bot.bootstrap.decisions import Asked, Replayed, leak, replay
from trading_bot.domain.errors import ReplayMissError, ResearchError
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm.cutoffs import cut_off, cut_offs, latest
from trading_bot.llm.prices import is_listed
from trading_bot.sandbox.claude_api import ClaudeApi
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

CORE = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")
FIRST, LAST = date(2024, 5, 6), date(2024, 6, 5)
ROOT = Path(__file__).resolve().parents[2]


def again(folder: Path, home: Path) -> Replayed:
    """Replay a folder as `backtest decisions --from` does."""
    kept = Recorded.read(folder)
    assert kept.config is not None
    asked = Asked(kept.config, Home(home), home, kept.first, kept.last)
    return replay(asked, kept, "backtest decisions", threading.Event(), lambda *_: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's recordings are."""
    return tmp_path_factory.mktemp("decisions")


@pytest.fixture(scope="module")
def plain(shared: Path, folder: Path) -> Told:
    """A month by a model that copies the desk's own numbers."""
    return record(folder / "plain", settings(shared / "data/us_daily_core", CORE), FIRST, LAST)


@pytest.fixture(scope="module")
def blind(shared: Path, folder: Path) -> Told:
    """The same behind a mask."""
    return record(folder / "blind", settings(shared / "data/us_daily_core", CORE), FIRST, LAST, mask=3)


@pytest.fixture(scope="module")
def seen(plain: Told, folder: Path) -> Replayed:
    """Its replay."""
    assert plain.sent
    return again(folder / "plain", folder / "home")


@pytest.fixture(scope="module")
def unseen(blind: Told, folder: Path) -> Replayed:
    """The masked one's."""
    assert blind.sent
    return again(folder / "blind", folder / "home")


def test_a_replay_trades_and_its_result_is_the_desk_s(seen: Replayed, plain: Told) -> None:
    """Every recorded question is answered, positions are entered and left, the card names model, prompts and records."""
    result = seen.result
    assert (result.engine, result.plan.symbols, result.sessions[0], result.sessions[-1]) == (Engine.DESK, CORE, FIRST, LAST)
    assert len(result.trades) > 3
    asked = len(plain.sent)
    assert result.notes[0] == f"decisions of claude-haiku-4-5 from {asked} recorded calls: {asked} of {asked} questions were answered"
    assert result.card is not None
    assert (result.card.models, "cassettes" in result.card.data) == (("claude-haiku-4-5",), True)
    assert result.card.prompts == Recorded.read(plain.shelf.folder).prompts
    assert seen.report["performance"]["trades"] == len(result.trades)


def test_the_same_cassettes_give_the_same_result(seen: Replayed, plain: Told, tmp_path: Path) -> None:
    """In another home, to the last field."""
    assert again(plain.shelf.folder, tmp_path / "other").result == seen.result


def test_a_model_that_knows_no_names_trades_the_same_behind_a_mask(seen: Replayed, unseen: Replayed) -> None:
    """It copies numbers and recognises nothing, so names make no difference: every order, fill, price and cent is the same."""
    assert unseen.result.trades == seen.result.trades
    assert unseen.result.equity == seen.result.equity
    assert unseen.judgements == seen.judgements
    assert "behind the mask of seed 3" in unseen.result.notes[0]
    assert unseen.result.card != seen.result.card


def test_a_missing_record_is_an_error_that_names_day_and_step(plain: Told, tmp_path: Path) -> None:
    """The review of 2024-05-08, the third session, is taken away."""
    shutil.copytree(plain.shelf.folder, tmp_path / "plain")
    gone = [
        path
        for path in (tmp_path / "plain").glob("*.json")
        if (asked := json.loads(path.read_text())["request"])["workflow"] == "review" and asked["as_of"].startswith("2024-05-08")
    ]
    assert len(gone) == 1
    gone[0].unlink()
    with pytest.raises(ReplayMissError, match=r"2024-05-08 end-of-day: the cassettes do not hold /review --period 1 as of 2024-05-08"):
        again(tmp_path / "plain", tmp_path / "home")


def test_other_prices_than_the_recorded_ones_are_an_error_that_shows_the_difference(shared: Path, plain: Told, tmp_path: Path) -> None:
    """One close of NVDA before the first day is another: its quote, of which the model's plan was held against, differs."""
    data = shutil.copytree(shared / "data/us_daily_core", tmp_path / "data")
    table = pd.read_csv(data / "NVDA.csv")
    table.loc[table["date"] >= "2024-05-06", ["open", "high", "low", "close"]] *= 1.01
    table.to_csv(data / "NVDA.csv", index=False)
    kept = Recorded.read(plain.shelf.folder)
    asked = Asked(settings(data, CORE), Home(tmp_path / "home"), tmp_path, kept.first, kept.last)
    with pytest.raises(ReplayMissError, match=r"(?s)2024-05-0\d .*The nearest record differs:.*grounds"):
        replay(asked, kept, "", threading.Event(), lambda *_: None)


GUARD = """
import sys
def watch(event, details):
    if event == "subprocess.Popen" or event.startswith("os.exec") or event == "os.posix_spawn":
        raise SystemExit(f"started {details[0]}")
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo"}:
        raise SystemExit(f"went out: {details}")
sys.addaudithook(watch)
from trading_bot.cli import main
main(sys.argv[1:])
"""


def test_a_replay_starts_no_program_and_opens_no_connection(plain: Told, tmp_path: Path) -> None:
    """By the interpreter's own audit of both; without a key, with a binary that does not exist, and no call in the ledger."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_BOT", "ANTHROPIC", "CLAUDE"))}
    command = [
        "--home",
        str(tmp_path / "home"),
        "backtest",
        "decisions",
        "--from",
        str(plain.shelf.folder),
        "--end",
        "2024-05-10",
        "--json",
    ]
    done = subprocess.run([sys.executable, "-c", GUARD, *command], env=clean, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [day["session"] for day in told["decisions"]["days"]] == ["2024-05-06", "2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10"]
    assert {day["may_know"] for day in told["decisions"]["days"]} == {True}
    assert not (tmp_path / "home" / "journal.db").exists()
    assert not (tmp_path / "home" / "cassettes").exists()


def test_days_after_the_cut_off_are_told_apart_from_those_before(seen: Replayed) -> None:
    """Cut at 2024-05-24: the returns of both parts compound to the whole, and each trade is in the part where it was entered."""
    cut = date(2024, 5, 24)
    found = knowledge(seen.result, ("some-model",), cut, "its page")
    before, after = found.may_know, found.unseen
    assert (before.first, before.last, before.sessions) == (FIRST, cut, 15)
    assert (after.first, after.last, after.sessions) == (date(2024, 5, 28), LAST, 7)  # 05-27 is Memorial Day
    assert before.total_return is not None
    assert after.total_return is not None
    assert (1 + before.total_return) * (1 + after.total_return) == pytest.approx(1 + (seen.result.performance.total_return or 0), abs=1e-12)
    entered = sum(trade.opened_at.date() <= cut for trade in seen.result.trades)
    assert (before.trades, after.trades) == (entered, len(seen.result.trades) - entered)
    assert [found.suspect(day) for day in (date(2024, 5, 24), date(2024, 5, 25))] == [True, False]
    assert found.told == "some-model may have read about 15 sessions (up to 2024-05-24), and not about 7"


def test_without_a_known_cut_off_every_day_is_suspect(seen: Replayed) -> None:
    """One unknown model among known ones is enough."""
    assert latest(["claude-haiku-4-5", "claude-of-tomorrow"]) is None
    found = knowledge(seen.result, ("claude-of-tomorrow",), None, "")
    assert (found.may_know.sessions, found.unseen.sessions) == (len(seen.result.sessions), 0)
    assert found.told.startswith("the cut-off of claude-of-tomorrow is not known: all 22 sessions")


def test_cut_offs_have_a_source_each_and_are_found_in_any_vendor_s_spelling() -> None:
    """Every model that has one has a price too; the later of two models counts."""
    assert all(is_listed(one.model) and one.source.startswith("https://platform.claude.com/") for one in cut_offs().cutoffs)
    haiku = cut_off("us.anthropic.claude-haiku-4-5-20251001-v1:0")
    assert haiku is not None
    assert haiku.last == date(2025, 7, 31)
    later = latest(["claude-haiku-4-5", "claude-opus-5"])
    assert later is not None
    assert later.last == date(2026, 5, 31)
    assert latest([]) is None


def forward_of(data: Path) -> Callable[[str, str], float | None]:
    """Return of a symbol from a day's opening to the close of the fifth session, from the file alone."""
    tables = {symbol: pd.read_csv(data / f"{symbol}.csv") for symbol in CORE}
    places = {symbol: {day: n for n, day in enumerate(table["date"])} for symbol, table in tables.items()}

    def forward(symbol: str, day: str) -> float | None:
        if symbol not in tables:
            return None
        n = places[symbol][day]
        return float(tables[symbol]["close"][n + 4] / tables[symbol]["open"][n] - 1)

    return forward


def test_what_came_of_a_judgement_is_measured_over_five_sessions(seen: Replayed, shared: Path) -> None:
    """From the opening to the close of the fifth, splits and all (NVDA, 10 for 1 on 2024-06-10), dividends aside."""
    forward = forward_of(shared / "data/us_daily_core")
    for judged in seen.judgements:
        assert seen.forward(judged.symbol, judged.session) == pytest.approx(forward(judged.symbol, f"{judged.session}"), abs=0.002)
    assert any(j.symbol == "NVDA" and j.session < date(2024, 6, 10) for j in seen.judgements)
    assert seen.forward(Symbol("NVDA"), date(2025, 1, 30)) is None


def test_a_model_without_memory_has_no_leak(seen: Replayed, unseen: Replayed) -> None:
    """Both runs judge alike: full agreement, a difference of 0."""
    found = leak(seen, unseen)["may_know"]
    assert (found.agreement, found.lone, found.pairs) == (1.0, 0, len(seen.judgements))
    assert found.pairs >= LEAST_PAIRS
    assert found.score is not None
    assert (found.score.difference, found.score.interval.low, found.score.interval.high) == (0.0, 0.0, 0.0)


def test_a_model_that_remembers_the_future_is_caught(shared: Path, folder: Path, unseen: Replayed) -> None:
    """It buys what it remembers rising and has a stop, where it can read names and days; behind the mask it is like everybody."""
    data = shared / "data/us_daily_core"
    forward = forward_of(data)

    def memory(symbol: str, day: str) -> bool | None:
        change = forward(symbol, day)
        return None if change is None else change > 0

    record(folder / "knowing", settings(data, CORE), FIRST, LAST, script=knowing(memory))
    found = leak(again(folder / "knowing", folder / "home"), unseen)["may_know"]
    assert found.score is not None
    assert found.hits is not None
    assert found.score.interval.low > 0
    assert found.hits.interval.low > 0
    assert found.told()[-1].startswith("LEAK: it earns more where it can recognise")
    assert (found.agreement or 1) < 0.9
    record(folder / "knowing-blind", settings(data, CORE), FIRST, LAST, mask=3, script=knowing(memory))
    assert again(folder / "knowing-blind", folder / "home").judgements == unseen.judgements


def judged(days: Sequence[int], symbols: str, enters: Callable[[int, str], bool]) -> list[Judgement]:
    """One judgement of each symbol on each day of January 2030."""
    return [Judgement(session=date(2030, 1, 1) + timedelta(days=n), symbol=Symbol(s), enters=enters(n, s)) for n in days for s in symbols]


def test_the_leak_score_is_what_its_words_say() -> None:
    """By hand: 20 days of A, which rises by 2 %, and B, which falls by 1 %.

    One run buys A alone: (2 % + 0) / 2 = 1 % a judgement, all right. The other buys both: (2 % - 1 %) / 2 = 0.5 %, half of them right.
    They agree on A, which is half. Every day is like the others, so the interval is one point.
    """
    rise = {"A": 0.02, "B": -0.01}
    one = judged(range(20), "AB", lambda _n, s: s == "A")
    both = [*judged(range(20), "AB", lambda _n, _s: True), *judged([25], "A", lambda _n, _s: True)]
    found = leak_score(one, both, lambda symbol, _day: rise[symbol], seed=1)
    assert (found.pairs, found.sessions, found.lone, found.agreement) == (40, 20, 1, 0.5)
    assert found.score is not None
    assert found.hits is not None
    assert (found.score.unmasked, found.score.masked) == pytest.approx((0.01, 0.005))
    assert (found.score.interval.low, found.score.interval.high) == pytest.approx((0.005, 0.005))
    assert (found.hits.unmasked, found.hits.masked, found.hits.difference) == pytest.approx((1.0, 0.5, 0.5))


def test_judgements_by_chance_rarely_look_like_a_leak() -> None:
    """200 pairs of runs that toss coins over returns drawn anew: an interval above 0 should come once in forty, and not in ten."""
    assert sum(is_caught(seed) for seed in range(200)) <= 20


def is_caught(seed: int) -> bool:
    """Whether two runs without any memory have a leak score above 0."""
    rng = np.random.default_rng(seed)
    changes, coins = rng.normal(0, 0.03, (40, 3)), rng.random((2, 40, 3)) < 0.5

    def tossed(coin: int) -> list[Judgement]:
        return judged(range(40), "ABC", lambda n, s: bool(coins[coin, n, "ABC".index(s)]))

    def forward(symbol: Symbol, day: date) -> float:
        return float(changes[(day - date(2030, 1, 1)).days, "ABC".index(symbol)])

    found = leak_score(tossed(0), tossed(1), forward, seed=seed)
    return found.score is not None and found.score.interval.low > 0


def test_too_few_judgements_have_no_score() -> None:
    """29 pairs, or 14 sessions, or data that end before: a sentence instead of a number."""
    few = judged(range(29), "A", lambda _n, _s: True)
    short = judged(range(14), "ABC", lambda _n, _s: True)
    assert leak_score(few, few, lambda *_: 0.01, seed=1).score is None
    found = leak_score(short, short, lambda *_: 0.01, seed=1)
    assert (found.score, found.hits, found.agreement) == (None, None, 1.0)
    assert (
        found.why == "no leak score: 42 measured pairs in 14 sessions are too few, it takes 30 pairs in 15 sessions; record a longer period"
    )
    gone = leak_score(short, short, lambda *_: None, seed=1)
    assert (gone.unmeasured, gone.sessions, gone.score) == (42, 0, None)
    assert leak_score([], [], lambda *_: None, seed=1).agreement is None


def test_a_folder_of_two_recordings_is_refused(plain: Told, blind: Told, tmp_path: Path) -> None:
    """Masked and unmasked calls side by side, and a second recording into a folder that has one."""
    both = shutil.copytree(plain.shelf.folder, tmp_path / "both")
    for path in blind.shelf.folder.glob("*.json"):
        shutil.copy(path, both / f"b-{path.name}")
    with pytest.raises(ResearchError, match="calls of 2 masks"):
        Recorded.read(both)
    kept = Recorded.read(plain.shelf.folder)
    assert kept.config is not None
    with pytest.raises(ResearchError, match="another recording"):
        begin(plain.shelf.folder, kept.config, FIRST, LAST, mask=9)
    begin(plain.shelf.folder, kept.config, FIRST, LAST, mask=None)  # the same again goes on


def test_a_desk_s_own_cassettes_tell_what_they_were_recorded_on(plain: Told, seen: Replayed, tmp_path: Path) -> None:
    """In a home the journal remembers the settings; the questions tell period and universe."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(plain.shelf.folder, home / "cassettes", ignore=shutil.ignore_patterns(META))
    known = Recorded.read(plain.shelf.folder)
    assert known.config is not None
    with SqlJournal.open(home / "journal.db", SystemWallClock()) as journal:
        journal.remember("config", known.config.canonical())
    kept = Recorded.read(home / "cassettes")
    assert (kept.first, kept.last, kept.symbols, kept.config) == (FIRST, LAST, CORE, known.config)
    assert again(home / "cassettes", tmp_path / "other").result.trades == seen.result.trades


def test_a_period_behind_a_mask_by_the_real_binary_and_its_replay(shared: Path, tmp_path: Path) -> None:
    """Two recorded days, from the command line to the model and back: 8 calls; the model's process sends nothing that names anything."""
    log, masked, home = tmp_path / "api.jsonl", tmp_path / "masked", tmp_path / "home"
    data, days, two = shared / "data/us_daily_core", (date(2024, 2, 5), date(2024, 2, 6)), ("SPY", "NVDA")
    with ClaudeApi(log=log) as api:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_BOT", "ANTHROPIC", "CLAUDE"))}
        ours = {"ANTHROPIC_API_KEY": "made-up", "ANTHROPIC_BASE_URL": api.url, "TRADING_BOT__CLAUDE__BINARY": str(binary())}
        files = [part for symbol in two for part in ("--data", str(data / f"{symbol}.csv"))]
        period = ["--symbols", ",".join(two), "--start", f"{days[0]}", "--end", f"{days[1]}", "--mask-seed", "7"]
        command = ["--home", str(home), "backtest", "decisions", "--record", str(masked), "--blind", *files, *period]
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "trading_bot", *command],
            env={**clean, **ours},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    sent = log.read_text("utf-8")
    assert "ASSET0" in sent
    assert [word for word in (*CORE, "Apple", "Tesla", "Nvidia", "technology", "2024") if word in sent] == []
    made = again(masked, home)
    twin = record(tmp_path / "twin", settings(data, two), *days)
    known = again(twin.shelf.folder, tmp_path / "home2")
    assert made.result.notes[0].endswith("behind the mask of seed 7: 8 of 8 questions were answered")
    assert made.result.equity == known.result.equity
    assert (made.judgements, len(made.result.sessions)) == (known.judgements, 2)
    assert real_prices(twin) & set(sent.replace('\\"', '"').replace(",", " ").replace(":", " ").replace("}", " ").split()) == set()


def real_prices(twin: Told) -> set[str]:
    """Prices to the cent that the unmasked twin was shown, five digits and more."""
    names = ("price", "entry", "stop", "stop_loss", "support", "resistance", "sma_20", "sma_50", "bb_upper", "bb_lower", "noise", "atr_14")
    text = "\n".join(twin.sent).replace("\\", "")
    found = {value.partition(",")[0].partition("}")[0] for name in names for value in text.split(f'"{name}":')[1:]}
    prices = {value for value in found if "." in value and len(value.replace(".", "")) >= 5}
    assert len(prices) > 15
    assert all(Decimal(value) > 0 for value in prices)
    return prices
