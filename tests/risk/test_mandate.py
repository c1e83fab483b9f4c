"""The mandate: exact as text, and believed only if all of it holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_bot import config as configuration
from trading_bot.config import Config
from trading_bot.domain.errors import (
    MandateError,
    MandateExpiredError,
    MandateMismatchError,
    MandateMissingError,
    MandateTamperedError,
    MandateUnsignedError,
)
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.values import Digest, Symbol
from trading_bot.risk.mandate import Binding, Check, SignedMandate, builtin, examine, from_text, load, propose, to_text
from trading_bot.risk.operator import create_operator_key, pinned_key, sign

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
WORDS = "correct horse"
CONFIG = configuration.load()
MANDATE = propose(CONFIG, "paper-1", Mode.PAPER, NOW)
BINDING = Binding("paper-1", Mode.PAPER, CONFIG.risk_digest())


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an operator's key."""
    made = tmp_path_factory.mktemp("operator")
    create_operator_key(made, WORDS)
    return made


class Desk:
    """A home's mandate and signature, as one desk reads them."""

    def __init__(self, folder: Path, operator: Path) -> None:
        self.path, self.signature = folder / "mandate.yaml", folder / "mandate.sig"
        self.operator = operator
        self.pinned: Ed25519PublicKey = pinned_key(operator)

    def sign(self, text: str) -> None:
        """Write and sign a text."""
        self.path.write_text(text, "utf-8")
        self.signature.write_bytes(sign(text.encode(), self.operator, WORDS))

    def load(self, binding: Binding = BINDING, now: datetime = LATER) -> SignedMandate:
        """Read it as the desk does."""
        return load(self.path, self.signature, self.pinned, binding, now)

    def examine(self, binding: Binding = BINDING, now: datetime = LATER) -> list[str]:
        """What does not hold."""
        return [c.what for c in examine(self.path, self.signature, self.pinned, binding, now) if c.error]


@pytest.fixture
def desk(tmp_path: Path, operator: Path) -> Desk:
    """A desk with a mandate that holds."""
    made = Desk(tmp_path, operator)
    made.sign(to_text(MANDATE))
    return made


def test_a_proposed_mandate_is_what_the_configuration_says_for_thirty_days() -> None:
    """Limits, discipline, universe, autonomy, and the digest of the sections that it is bound to."""
    assert (MANDATE.limits, MANDATE.discipline, MANDATE.universe) == (CONFIG.risk.limits, CONFIG.risk.discipline, CONFIG.universe.symbols)
    assert (MANDATE.account, MANDATE.mode, MANDATE.autonomy) == ("paper-1", Mode.PAPER, CONFIG.risk.autonomy)
    assert (MANDATE.issued_at, MANDATE.expires_at) == (NOW, datetime(2026, 12, 21, 12, tzinfo=UTC))
    assert MANDATE.config_digest == CONFIG.risk_digest()


def test_a_signed_mandate_holds(desk: Desk) -> None:
    """It loads as what was signed, and every check says so."""
    assert desk.load() == SignedMandate(MANDATE, MANDATE.fingerprint())
    checks = examine(desk.path, desk.signature, desk.pinned, BINDING, LATER)
    assert [str(check) for check in checks] == [
        "holds: it is signed by the pinned operator key, unchanged",
        "holds: it can be read",
        "holds: it has begun",
        "holds: it has not expired",
        "holds: it is for this account",
        "holds: it is for this mode",
        "holds: it is for this configuration",
    ]


def test_a_missing_mandate_says_how_to_make_one(desk: Desk) -> None:
    """No mandate, no risk."""
    desk.path.unlink()
    with pytest.raises(MandateMissingError, match="make and sign one with `mandate sign`"):
        desk.load()
    assert desk.examine() == ["there is a mandate"]


def test_a_mandate_without_signature_says_so(desk: Desk) -> None:
    """Read it, then sign it."""
    desk.signature.unlink()
    with pytest.raises(MandateUnsignedError, match="is not signed"):
        desk.load()
    assert desk.examine() == ["it is signed by the pinned operator key, unchanged"]


def test_a_mandate_edited_after_signing_is_refused(desk: Desk) -> None:
    """A limit that somebody raised."""
    desk.path.write_text(desk.path.read_text().replace("position: '0.15'", "position: '0.95'"))
    with pytest.raises(MandateTamperedError, match="changed since"):
        desk.load()
    assert desk.examine() == ["it is signed by the pinned operator key, unchanged"]


def test_a_mandate_by_another_operator_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Only the pinned key counts."""
    create_operator_key(tmp_path / "stranger", WORDS)
    desk.signature.write_bytes(sign(desk.path.read_bytes(), tmp_path / "stranger", WORDS))
    with pytest.raises(MandateUnsignedError, match="another key"):
        desk.load()


@pytest.mark.parametrize(
    ("now", "error", "what"),
    [
        (NOW - timedelta(seconds=1), MandateMismatchError, "it has begun"),
        (MANDATE.expires_at, MandateExpiredError, "it has not expired"),
    ],
)
def test_a_mandate_holds_only_in_its_time(now: datetime, error: type[MandateError], what: str, desk: Desk) -> None:
    """Its first moment is in, its last is out."""
    desk.load(now=NOW)
    desk.load(now=MANDATE.expires_at - timedelta(microseconds=1))
    with pytest.raises(error, match="make and sign a new one"):
        desk.load(now=now)
    assert desk.examine(now=now) == [what]


@pytest.mark.parametrize(
    ("binding", "what"),
    [
        (replace(BINDING, account="paper-2"), "it is for this account"),
        (replace(BINDING, mode=Mode.LIVE), "it is for this mode"),
        (replace(BINDING, config_digest=Digest("0" * 64)), "it is for this configuration"),
    ],
)
def test_a_mandate_for_something_else_is_refused(binding: Binding, what: str, desk: Desk) -> None:
    """Another account, another mode, a configuration that was changed since."""
    with pytest.raises(MandateMismatchError, match="make and sign a new one"):
        desk.load(binding)
    assert desk.examine(binding) == [what]


def test_all_that_does_not_hold_is_told_at_once(desk: Desk) -> None:
    """`mandate verify` does not stop at the first."""
    desk.path.write_text(desk.path.read_text() + "# a note\n")
    wrong = desk.examine(replace(BINDING, account="other"), MANDATE.expires_at)
    assert wrong == ["it is signed by the pinned operator key, unchanged", "it has not expired", "it is for this account"]


def test_a_signed_text_that_is_no_mandate_is_refused(desk: Desk) -> None:
    """A signature does not make it readable."""
    desk.sign("version: 1\n")
    with pytest.raises(MandateError, match=r"mandate.yaml, line 1, account: Field required"):
        desk.load()
    assert desk.examine() == ["it can be read"]
    desk.path.write_bytes(b"\xff")
    desk.signature.write_bytes(sign(b"\xff", desk.operator, WORDS))
    with pytest.raises(MandateError, match="not UTF-8"):
        desk.load()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_text_or_signature_is_refused(data: st.DataObject, desk: Desk) -> None:
    """Nothing outside the signature, nothing loose in it."""
    path = data.draw(st.sampled_from([desk.path, desk.signature]))
    before = path.read_bytes()
    # The line end after the signature is no part of it.
    position = data.draw(st.integers(0, len(before.rstrip()) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != before[position]))
    path.write_bytes(before[:position] + bytes([byte]) + before[position + 1 :])
    with pytest.raises((MandateTamperedError, MandateUnsignedError)):
        desk.load()
    path.write_bytes(before)
    desk.load()


amounts = st.decimals(Decimal("0.000001"), Decimal(1), places=6)


@given(amounts, st.lists(st.sampled_from(["ON", "NO", "Y", "TRUE", "NULL", "AAPL", "BRK.B", "1E5", "0x1F", "~"]), unique=True))
def test_a_mandate_as_text_comes_back_equal_to_the_last_digit(amount: Decimal, symbols: list[str]) -> None:
    """Also symbols that YAML would take for something else."""
    limits = MANDATE.limits.model_copy(update={"position": amount, "sector": "none", "open_positions": "none"})
    mandate = MANDATE.model_copy(update={"limits": limits, "universe": tuple(map(Symbol, symbols))})
    assert from_text(to_text(mandate)).canonical() == mandate.canonical()


def edited(before: str, after: str) -> Mandate:
    """The mandate after an edit of its text."""
    text = to_text(MANDATE)
    assert before in text
    return from_text(text.replace(before, after))


def test_a_number_without_quotes_is_as_exact_as_one_with() -> None:
    """0.1 is a tenth, not the nearest binary fraction."""
    assert edited("position: '0.15'", "position: 0.1000").limits.position == Decimal("0.1")
    assert str(edited("position: '0.15'", "position: 0.1000").limits.position) == "0.1"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("position: '0.15'", "position: 0", "line 21, limits.position"),
        ("position: '0.15'", "position: -0.1", "line 21, limits.position"),
        ("position: '0.15'", "position: 1.5", "line 21, limits.position"),
        ("position: '0.15'", "position: .nan", "line 21, limits.position"),
        ("position: '0.15'", "posision: 0.15", "line 21, limits.posision: Extra inputs are not permitted"),
        ("position: '0.15'", "", "line 19, limits.position: Field required"),
        ("margin_per_trade: none", "margin_per_trade: 0", "limits.margin_per_trade"),
        ("least_margin: none", "least_margin: 1.01", "limits.least_margin"),
        ("liquidation_buffer: none", "liquidation_buffer: 'off'", "limits.liquidation_buffer"),
        ("liquidation_buffer: none", "", "limits.liquidation_buffer: Field required"),
        ("account: paper-1", "account: paper-1\naccount: paper-2", "the key account is given twice"),
        ("account: paper-1", "account: [", "line 5: not valid YAML"),
        ("mode: paper", "mode: casino", "line 4, mode"),
        ("open_positions: 10", "open_positions: 0", "limits.open_positions"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(before: str, after: str, message: str) -> None:
    """Unknown, missing, repeated, out of range."""
    with pytest.raises(MandateError) as error:
        edited(before, after)
    assert message in str(error.value)
    assert "mandate.yaml" in str(error.value)


MARGINS = ("margin_per_trade", "least_margin", "liquidation_buffer")


def test_the_limits_of_margin_are_numbers_or_none() -> None:
    """A desk of stocks has none of them, one of coins all."""
    assert {getattr(CONFIG.risk.limits, name) for name in MARGINS} == {"none"}
    coins = propose(configuration.load(flags={"desk": "coins"}), "paper-1", Mode.PAPER, NOW)
    assert from_text(to_text(coins)) == coins
    assert [getattr(coins.limits, name) for name in MARGINS] == [Decimal("0.25"), Decimal("0.05"), Decimal("0.03")]
    assert edited("margin_per_trade: none", "margin_per_trade: 0.1").limits.margin_per_trade == Decimal("0.1")


@pytest.mark.parametrize("name", MARGINS)
def test_a_limit_of_margin_that_is_changed_wants_a_new_signature(name: str, desk: Desk) -> None:
    """In the mandate it breaks the signature, in the configuration the digest that was signed."""
    changed = configuration.load(flags={f"risk.limits.{name}": "0.5"})
    with pytest.raises(MandateMismatchError, match="section was changed after signing"):
        desk.load(replace(BINDING, config_digest=changed.risk_digest()))
    desk.path.write_text(desk.path.read_text().replace(f"{name}: none", f"{name}: '0.5'"))
    with pytest.raises(MandateTamperedError, match="changed since"):
        desk.load()


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n"])
def test_a_text_without_settings_is_refused(text: str) -> None:
    """Nothing in it is a mandate."""
    with pytest.raises(MandateError, match=r"mandate.yaml, line 1, the whole"):
        from_text(text)


def test_the_built_in_mandate_serves_simulated_clocks_with_the_paper_broker() -> None:
    """The same in every run, and never over."""
    for mode in (Mode.BACKTEST, Mode.PAPER):
        made = builtin(CONFIG, mode, simulated=True)
        assert made == builtin(CONFIG, mode, simulated=True)
        assert (made.limits, made.account, made.mode, made.expires_at.year) == (CONFIG.risk.limits, "paper-1", mode, 9999)


def other_broker() -> Config:
    """A configuration with a broker that is not ours."""
    return configuration.load(flags={"broker.name": "alpaca"})


@pytest.mark.parametrize(
    ("config", "mode", "simulated"),
    [(CONFIG, Mode.PAPER, False), (CONFIG, Mode.LIVE, True), (other_broker(), Mode.PAPER, True)],
)
def test_the_built_in_mandate_serves_nothing_else(config: Config, mode: Mode, simulated: bool) -> None:  # noqa: FBT001 - a table's column
    """A real clock, live, or another broker needs a person's signature."""
    with pytest.raises(MandateMissingError, match="run `mandate sign` at a terminal"):
        builtin(config, mode, simulated=simulated)


def test_a_check_that_fails_says_why() -> None:
    """In one line, for `mandate verify`."""
    check = Check("it has not expired", MandateExpiredError("it ended yesterday"))
    assert str(check) == "DOES NOT HOLD: it has not expired: it ended yesterday"
