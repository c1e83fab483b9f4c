"""What a user can get wrong about a vendor's account: a sentence says what it is and what to do, and no key is in any of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brokers import bybit_kit
from brokers.alpaca_bench import KEYS as ALPACA_KEYS
from brokers.alpaca_bench import floor
from brokers.bybit_floor import floor as bybit_floor
from cli.command_line import Desk, Outcome
from trading_bot.domain.mandate import Mode
from trading_bot.network.keys import Keys
from trading_bot.sandbox.alpaca.setup import Setup

Patch = pytest.MonkeyPatch
WRONG = Keys("PKNOBODYKNOWSTHIS", "nobody-told-anybody")
VARIABLES = {"alpaca": ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"), "bybit": ("BYBIT_API_KEY", "BYBIT_API_SECRET")}
TRADED = {"alpaca": ["AAPL"], "bybit": ["BTCUSDT"]}
RIGHT = {"alpaca": ALPACA_KEYS, "bybit": bybit_kit.KEYS}


@contextmanager
def emulated(vendor: str) -> Iterator[str]:
    """Where the vendor's emulator answers."""
    if vendor == "alpaca":
        with floor() as on:
            yield on.emulator.url
    else:
        with bybit_floor() as venue:
            yield venue.api.url


def configure(monkeypatch: Patch, vendor: str, url: str, keys: Keys | None = None, **more: str) -> None:
    """The environment of a desk at a vendor; `more`: settings of the vendor's section."""
    monkeypatch.setenv("TRADING_BOT__BROKER", vendor)
    monkeypatch.setenv("TRADING_BOT__SOURCE", vendor)
    monkeypatch.setenv("TRADING_BOT__UNIVERSE__SYMBOLS", str(TRADED[vendor]))
    for name, value in {"url": url, **more}.items():
        monkeypatch.setenv(f"TRADING_BOT__{vendor.upper()}__{name.upper()}", value)
    for variable, value in zip(VARIABLES[vendor], ("", "") if keys is None else (keys.key, keys.secret), strict=True):
        monkeypatch.setenv(variable, value)


def sign(desk: Desk, vendor: str, url: str, mode: Mode = Mode.PAPER, **more: str) -> None:
    """A mandate for that."""
    flags: dict[str, Any] = {f"{vendor}__{name}": value for name, value in {"url": url, **more}.items()}
    desk.sign_mandate(mode, broker=vendor, source=vendor, universe__symbols=TRADED[vendor], **flags)


def said_of_broker(ended: Outcome) -> str:
    """The lines of `doctor` about the broker; no key is in any line of it."""
    assert not any(word in ended.out + ended.err for keys in (WRONG, *RIGHT.values()) for word in (keys.key, keys.secret))
    return ended.out.split("  broker  ")[1].split("\nPASS")[0].split("\nFAIL")[0]


@pytest.mark.parametrize("vendor", ["alpaca", "bybit"])
def test_the_doctor_says_which_account_right_keys_open(desk: Desk, monkeypatch: Patch, tmp_path: Path, vendor: str) -> None:
    """`broker: alpaca` in the file is enough to name it."""
    with emulated(vendor) as url:
        configure(monkeypatch, vendor, url, RIGHT[vendor])
        monkeypatch.delenv("TRADING_BOT__BROKER")
        (tmp_path / "config.yaml").write_text(f"broker: {vendor}\n", "utf-8")
        said = said_of_broker(desk.run("doctor"))
    assert f"{vendor}, paper" in said
    assert "equity: 1" in said


@pytest.mark.parametrize("vendor", ["alpaca", "bybit"])
def test_the_doctor_names_wrong_and_missing_keys(desk: Desk, monkeypatch: Patch, vendor: str) -> None:
    """And says where to look."""
    with emulated(vendor) as url:
        configure(monkeypatch, vendor, url)
        missing = said_of_broker(desk.run("doctor"))
        configure(monkeypatch, vendor, url, WRONG)
        wrong = said_of_broker(desk.run("doctor"))
    assert f"{' and '.join(VARIABLES[vendor])} are not set: export them in the environment" in missing
    assert f"look at {vendor}.environment" in wrong


@pytest.mark.parametrize("vendor", ["alpaca", "bybit"])
def test_a_desk_does_not_come_up_with_keys_that_open_nothing(desk: Desk, monkeypatch: Patch, vendor: str) -> None:
    """It would only look alive."""
    with emulated(vendor) as url:
        configure(monkeypatch, vendor, url, WRONG)
        sign(desk, vendor, url)
        wrong = desk.run("orchestrator")
        configure(monkeypatch, vendor, url)
        missing = desk.run("orchestrator")
    for ended in (wrong, missing):
        assert (ended.code, ended.out) == (78, "")
        assert ended.err.startswith("error [")
        assert "keys" in ended.err or VARIABLES[vendor][0] in ended.err
        assert not any(word in ended.err for word in (WRONG.key, WRONG.secret))


def test_paper_keys_and_a_live_setting_do_not_meet(desk: Desk, monkeypatch: Patch) -> None:
    """Neither way round: the account itself says what it is."""
    with floor() as on:
        configure(monkeypatch, "alpaca", on.emulator.url, ALPACA_KEYS, environment="live")
        assert "open paper account PA3EMUL8T0R1, and alpaca.environment is live: take the other" in said_of_broker(desk.run("doctor"))
    with floor(setup=live()) as on:
        configure(monkeypatch, "alpaca", on.emulator.url, ALPACA_KEYS, environment="paper")
        assert "open live account 913847502, and alpaca.environment is paper: take the other" in said_of_broker(desk.run("doctor"))
        sign(desk, "alpaca", on.emulator.url)
        ended = desk.run("orchestrator")
        assert (ended.code, ended.out) == (78, "")
        assert "open live account" in ended.err


def live() -> Setup:
    """An account with real money."""
    return Setup(key=ALPACA_KEYS.key, secret=ALPACA_KEYS.secret, live=True)


@pytest.mark.parametrize(("mode", "environment"), [("paper", "live"), ("live", "paper")])
def test_the_desk_s_mode_and_the_venue_s_environment_mean_the_same_money(
    desk: Desk, monkeypatch: Patch, mode: str, environment: str
) -> None:
    """Before anybody is asked anything."""
    configure(monkeypatch, "alpaca", "http://127.0.0.1:1", ALPACA_KEYS, environment=environment)
    sign(desk, "alpaca", "http://127.0.0.1:1", Mode(mode), environment=environment)
    ended = desk.run("orchestrator", "--orchestrator-mode", mode)
    assert (ended.code, ended.out) == (78, "")
    assert f"alpaca.environment is {environment}, and this desk is {mode}: set it to" in ended.err


def test_a_correct_live_home_passes_the_doctor(desk: Desk, monkeypatch: Patch) -> None:
    """Its mandate is judged for the mode that it names, and that is said."""
    with floor(setup=live()) as on:
        configure(monkeypatch, "alpaca", on.emulator.url, ALPACA_KEYS, environment="live")
        sign(desk, "alpaca", on.emulator.url, Mode.LIVE, environment="live")
        findings = {f["name"]: f for f in json.loads(desk.run("doctor", "--json").out)}
    assert [name for name, found in findings.items() if not found["passed"]] == []
    assert findings["mandate"]["seen"].startswith("for live, ")
    assert findings["mode"]["seen"] == "broker live, mandate live"


def test_another_account_than_the_configured_one_is_named(desk: Desk, monkeypatch: Patch) -> None:
    """Both of them."""
    with floor() as on:
        configure(monkeypatch, "alpaca", on.emulator.url, ALPACA_KEYS)
        monkeypatch.setenv("TRADING_BOT__BROKER__ACCOUNT", "PA777")
        said = said_of_broker(desk.run("doctor"))
    assert "these keys open account PA3EMUL8T0R1, and broker.account is PA777: take that account's keys" in said


@pytest.mark.parametrize("vendor", ["alpaca", "bybit"])
@pytest.mark.parametrize("url", ["https://evil.example.com", "http://10.0.0.1:8101", "ftp://127.0.0.1", "127.0.0.1:8101"])
def test_an_address_that_is_no_emulator_on_this_machine_is_refused(desk: Desk, monkeypatch: Patch, vendor: str, url: str) -> None:
    """Keys are never sent to an address that somebody wrote into a file."""
    configure(monkeypatch, vendor, url, RIGHT[vendor])
    ended = desk.run("status")
    assert ended.code == 1
    assert f"{vendor}.url may only name an emulator on this machine (http://127.0.0.1:" in desk.run("orchestrator").err


def test_a_venue_that_is_away_is_said_to_be(desk: Desk, monkeypatch: Patch) -> None:
    """Nobody listens there; and one in maintenance answers 503."""
    configure(monkeypatch, "alpaca", "http://127.0.0.1:9", ALPACA_KEYS)
    assert "Alpaca cannot be reached; nothing was sent" in said_of_broker(desk.run("doctor"))
    with floor() as on:
        on.fault(fault="server_error", status=503, times=50)
        configure(monkeypatch, "alpaca", on.emulator.url, ALPACA_KEYS)
        assert "Alpaca did not answer the question; nothing was changed" in said_of_broker(desk.run("doctor"))


def test_a_venue_is_not_traded_on_invented_prices(desk: Desk, monkeypatch: Patch) -> None:
    """With the way out."""
    configure(monkeypatch, "alpaca", "http://127.0.0.1:9", ALPACA_KEYS)
    monkeypatch.delenv("TRADING_BOT__SOURCE")
    sign(desk, "alpaca", "http://127.0.0.1:9")
    assert "source synthetic invents prices: set `source: alpaca`" in desk.run("orchestrator").err


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BROKER", "bybit"), ("BROKER__ACCOUNT", "PA777"), ("ALPACA__REQUESTS_PER_MINUTE", "1000"), ("UNIVERSE__SYMBOLS", "[GME]")],
)
def test_a_mandate_from_before_the_settings_changed_holds_no_more(desk: Desk, monkeypatch: Patch, variable: str, value: str) -> None:
    """Another venue, account, limit or universe than was signed."""
    url = "http://127.0.0.1:9"
    configure(monkeypatch, "alpaca", url, ALPACA_KEYS)
    sign(desk, "alpaca", url)
    monkeypatch.setenv(f"TRADING_BOT__{variable}", value)
    ended = desk.run("orchestrator")
    assert (ended.code, ended.out) == (78, "")
    assert "error [mandate_mismatch]" in ended.err
    assert "make and sign a new one with `mandate sign`" in ended.err


def test_a_broker_that_nobody_knows_is_named_with_those_there_are(desk: Desk, monkeypatch: Patch) -> None:
    """A typo in the short form too."""
    monkeypatch.setenv("TRADING_BOT__BROKER", "alpacca")
    said = said_of_broker(desk.run("doctor"))
    assert "alpacca" in said
    assert "alpaca, bybit, paper" in said
