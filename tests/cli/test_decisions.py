"""What Claude decided can be listed, opened, replayed, scored, judged again, and asked for: with the real binary and the emulated API."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from claude_kit import binary, copy_prompts
from cli.command_line import Desk
from trading_bot.sandbox.claude_api import ClaudeApi
from trading_bot.sandbox.claude_faults import Rule


@pytest.fixture(scope="module")
def api() -> Iterator[ClaudeApi]:
    """The emulated API of this module."""
    binary()
    with ClaudeApi() as served:
        yield served


@pytest.fixture
def claude(desk: Desk, api: ClaudeApi, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose analyst is the real binary."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "made-up")
    monkeypatch.setenv("TRADING_BOT__CLAUDE__BINARY", str(binary()))
    return desk


@pytest.fixture(scope="module")
def traded(api: ClaudeApi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a desk that Claude worked for a pre-market."""
    from trading_bot.cli import main  # noqa: PLC0415 - after the binary was looked for

    home = tmp_path_factory.mktemp("traded") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADING_BOT_HOME", str(home))
        patch.setenv("TRADING_BOT_OPERATOR_DIR", str(home.parent / "operator"))
        patch.setenv("ANTHROPIC_BASE_URL", api.url)
        patch.setenv("ANTHROPIC_API_KEY", "made-up")
        patch.setenv("TRADING_BOT__CLAUDE__BINARY", str(binary()))
        with pytest.raises(SystemExit) as end:
            main(["run", "pre-market", "--fast", "--analyst", "claude"])
    assert end.value.code in {0, None}
    return home


@pytest.fixture
def after(claude: Desk, traded: Path) -> Desk:
    """That desk, in a copy of its home."""
    shutil.copytree(traded, claude.home)
    return claude


def first(desk: Desk, workflow: str) -> str:
    """Id of the first decision of a workflow."""
    return str(json.loads(desk.run("decisions", "--workflow", workflow, "--json").out)[0]["id"])


def test_decisions_are_listed_with_who_answered_and_what_it_cost(after: Desk) -> None:
    """As a table and as JSON."""
    made = json.loads(after.run("decisions", "--json").out)
    assert {d["analyst"] for d in made} == {"claude"}
    assert {d["workflow"] for d in made} == {"screen", "analyze", "optimize"}
    assert all(float(d["cost_usd"]) > 0 for d in made)
    assert "answered" in after.run("decisions").out


def test_a_decision_shows_prompt_tools_results_answer_shadow_and_cost(after: Desk) -> None:
    """Found by the beginning of its id."""
    told = after.run("decision", first(after, "analyze")[:6]).out
    for part in ("/analyze-trade", "calculate_indicators", "score", "answer", "the rules", "cost", "claude 2.1."):
        assert part in told
    whole = json.loads(after.run("decision", first(after, "optimize"), "--json").out)
    assert whole["questions"][0]["calls"]
    assert whole["proposals"]
    assert whole["questions"][0]["attempts"][0]["stream"]


@pytest.mark.parametrize("workflow", ["screen", "analyze", "optimize"])
def test_a_decision_replays_to_the_byte_and_asks_nobody(after: Desk, api: ClaudeApi, workflow: str) -> None:
    """From its cassette, on the books and the market of its moment."""
    asked = len(api.requests)
    outcome = after.run("replay", first(after, workflow))
    assert (outcome.code, "the same" in outcome.out) == (0, True)
    assert len(api.requests) == asked


def test_a_cassette_that_was_tampered_with_is_told(after: Desk) -> None:
    """The replay comes out differently, and says so."""
    identity = first(after, "analyze")
    path = after.home / "cassettes" / f"{identity}-1.json"
    path.write_text(path.read_text("utf-8").replace('"confidence":', '"confidence":0.01,"was":'), "utf-8")
    outcome = after.run("replay", identity)
    assert outcome.code != 0
    assert "differently" in outcome.err


@pytest.mark.parametrize("wanted", ["zzzzzz", "ab", "../..", ""])
def test_an_id_that_is_none_is_refused_with_what_to_do(after: Desk, wanted: str) -> None:
    """Nobody, too short, a path, nothing."""
    outcome = after.run("decision", wanted)
    assert outcome.code != 0
    assert "decisions" in outcome.err


def test_a_changed_prompt_is_judged_on_recorded_results_and_changes_nothing(after: Desk, api: ClaudeApi, tmp_path: Path) -> None:
    """Its calls are paid; journal and cassettes stay as they are."""
    copy_prompts(tmp_path)
    agent = tmp_path / ".claude" / "agents" / "analyzer.md"
    agent.write_text(agent.read_text("utf-8") + "\nBe strictly strict.\n", "utf-8")
    before = after.run("journal", "export").out, sorted(p.read_bytes() for p in (after.home / "cassettes").iterdir())
    asked = len(api.requests)
    judged = json.loads(after.run("judge-prompt", "analyze", "--prompts", tmp_path / ".claude", "--limit", "1", "--json").out)
    assert [(j["outcome"], j["same"], float(j["cost_usd"]) > 0) for j in judged] == [("answered", True, True)]
    assert "Be strictly strict." in json.dumps(api.requests[asked]["system"])
    assert before == (after.run("journal", "export").out, sorted(p.read_bytes() for p in (after.home / "cassettes").iterdir()))


def test_the_scoreboard_sets_claude_beside_the_rules_net_of_its_cost(after: Desk) -> None:
    """The same plans here, so the difference is the price of asking."""
    scores = {s["analyst"]: s for s in json.loads(after.run("scoreboard", "--json").out)["scores"]}
    assert scores["claude"]["plans"] == scores["rules"]["plans"] > 0
    assert float(scores["claude"]["cost_usd"]) > 0 == float(scores["rules"]["cost_usd"])
    assert "net USD" in after.run("scoreboard").out


def test_a_question_is_asked_of_an_idle_desk_and_proposes_nothing(after: Desk) -> None:
    """Grounded in its market; paid from the same budget."""
    before = after.run("journal", "export").out
    told = json.loads(after.run("ask", "/screen 2", "--json").out)
    assert told["ending"] == "answered"
    assert len(told["output"]["candidates"]) == 2
    assert after.run("journal", "export").out == before


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("/backtest-strategy momentum AAPL,SPY --period 1y", "run_backtest"),
        ("/backtest-strategy momentum,sma_cross NVDA --period 6m", "compare_strategies"),
    ],
)
def test_a_strategy_is_backtested_on_the_desks_market_and_judged(after: Desk, command: str, tool: str) -> None:
    """One, or several side by side; every figure that is claimed stands in a result, and the verdict is validation's."""
    plain = after.run("ask", command)
    assert plain.code == 0, plain.err
    assert tool in plain.out
    assert "FAILED" not in plain.out
    told = json.loads(after.run("ask", command, "--json").out)
    assert (told["ending"], told["output"]["verdict"]) == ("answered", "TOO_LITTLE")
    assert {claim["field"] for claim in told["output"]["claims"]} >= {"validated", "sharpe"}


def test_a_backtest_of_nothing_is_refused_with_an_example(after: Desk) -> None:
    """Before anything is paid."""
    assert "/backtest-strategy momentum AAPL,SPY --period 1y" in after.run("ask", "/backtest-strategy").err


@pytest.mark.parametrize("command", ["/nothing", "rm -rf", ""])
def test_a_command_that_there_is_not_is_refused_before_anything_is_paid(after: Desk, api: ClaudeApi, command: str) -> None:
    """And the ones that there are, are named."""
    asked = len(api.requests)
    outcome = after.run("ask", command)
    assert outcome.code != 0
    assert "/screen" in outcome.err
    assert len(api.requests) == asked


def test_doctor_finds_binary_billing_servers_and_budget(claude: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says for each that fails what to do."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    good = {f["name"]: f for f in json.loads(claude.run("doctor", "--fast", "--analyst", "claude", "--json").out)}
    assert {name: good[name]["passed"] for name in good if "claude" in name or "tool" in name} == {
        "claude binary": True,
        "claude billing": True,
        "tool servers": True,
        "claude budget": True,
    }
    monkeypatch.setenv("TRADING_BOT__CLAUDE__BINARY", "no-such-claude")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("TRADING_BOT__BUDGET__CLAUDE_USD_PER_DAY", "0")
    bad = {f["name"]: f for f in json.loads(claude.run("doctor", "--fast", "--analyst", "claude", "--json").out)}
    assert all(not bad[name]["passed"] and bad[name]["fix"] for name in ("claude binary", "claude billing", "claude budget"))


def test_a_desk_without_its_analyst_does_not_start(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only look alive."""
    monkeypatch.setenv("TRADING_BOT__CLAUDE__BINARY", "no-such-claude")
    outcome = desk.run("orchestrator", "--fast", "--analyst", "claude")
    assert outcome.code != 0
    assert "npm install" in outcome.err
    assert not (desk.home / "journal.db").exists()


def test_a_home_with_a_relative_name_is_meant_from_here(after: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary runs in a folder of its own."""
    monkeypatch.setenv("TRADING_BOT_HOME", after.home.name)
    assert after.home.parent == Path.cwd()
    assert json.loads(after.run("ask", "/screen 2", "--json").out)["ending"] == "answered"


def test_a_stop_in_the_middle_of_a_call_ends_it_at_once_and_the_next_start_asks_again(
    claude: Desk, api: ClaudeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed run counts at its reservation; nothing is journaled of a question without an answer."""
    command = [sys.executable, "-m", "trading_bot", "orchestrator", "--fast", "--analyst", "claude"]
    with ClaudeApi(faults=[Rule(fault="hang_first")]) as mute:
        environment = {**os.environ, "ANTHROPIC_BASE_URL": mute.url}
        desk = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
        assert wait_until(lambda: bool(mute.requests), 60)
        desk.send_signal(signal.SIGTERM)
        assert desk.wait(timeout=15) == 0
    assert "No decision yet" in claude.run("decisions").out
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
    assert claude.run("run", "pre-market", "--fast", "--analyst", "claude").code == 0
    assert {d["outcome"] for d in json.loads(claude.run("decisions", "--json").out)} == {"answered"}


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something in another process holds."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        pause.wait(0.05)
    return holds()
