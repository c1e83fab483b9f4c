"""What every record promises of amounts, times, canonical text and ids."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trading_bot.domain.mandate import Share
from trading_bot.domain.values import (
    Amount,
    DecisionId,
    Record,
    UtcTime,
    canonical_json,
    client_order_id,
    derive_digest,
    derive_id,
    divided,
)


class Sheet(Record):
    """Amounts alone, in containers, and where a word may stand in their place."""

    alone: Amount = Decimal(0)
    row: tuple[Amount, ...] = ()
    table: Mapping[str, Amount] = {}
    maybe: Amount | None = None
    limit: Share = Decimal(1)


class Stamped(Record):
    """One time."""

    time: UtcTime


amounts = st.decimals(min_value=-(10**14), max_value=10**14, places=8)


@pytest.mark.parametrize(
    "wrong",
    [
        0.5,
        1.0,
        float("nan"),
        float("inf"),
        True,
        Decimal("NaN"),
        Decimal("-Infinity"),
        "NaN",
        "1e15",
        "1e-19",
        "1e999999999",
        (0, (1,), 30),
    ],
)
@pytest.mark.parametrize("place", ["alone", "row", "table", "maybe", "limit"])
def test_what_is_no_exact_sane_amount_is_refused_everywhere(place: str, wrong: object) -> None:
    """Floats, booleans, what is not finite, 1e15 and 19 decimal places: alone, in containers, beside a word."""
    value = {"row": (wrong,), "table": {"a": wrong}}.get(place, wrong)
    with pytest.raises(ValidationError):
        Sheet.model_validate({place: value})


@pytest.mark.parametrize(
    "text", ['{"alone":0.5}', '{"row":[1.5]}', '{"table":{"a":1e3}}', '{"maybe":0.1}', '{"limit":0.02}', '{"alone":true}']
)
def test_a_fraction_written_as_a_json_number_is_refused(text: str) -> None:
    """JSON carries amounts as strings: a number with a point has been a float already."""
    with pytest.raises(ValidationError):
        Sheet.model_validate_json(text)


@given(amount=amounts, others=st.lists(amounts, max_size=3))
def test_a_record_comes_back_equal_from_its_own_text(amount: Decimal, others: list[Decimal]) -> None:
    """No digit is lost on the way through JSON, and the text is the same again."""
    sheet = Sheet(alone=amount, row=tuple(others), table={str(n): one for n, one in enumerate(others)}, limit="none")
    again = Sheet.model_validate_json(sheet.canonical())
    assert (again, again.canonical(), again.fingerprint()) == (sheet, sheet.canonical(), sheet.fingerprint())


@given(amount=amounts, zeros=st.integers(0, 6))
def test_equal_records_have_equal_text_however_their_amounts_were_written(amount: Decimal, zeros: int) -> None:
    """1.5, 1.500 and 15E-1 are one amount; so are 0 and -0. Keys stand in one order."""
    spelled = Decimal(f"{amount:f}" + "0" * zeros)
    short = amount.normalize()
    sheets = [Sheet(alone=one, table={"b": one, "a": one}) for one in (amount, spelled, short)]
    sheets.append(Sheet(alone=amount or Decimal("-0"), table={"a": amount, "b": amount}))
    assert len({sheet.canonical() for sheet in sheets}) == 1
    assert "E" not in sheets[0].canonical()


NAIVE = datetime(2024, 1, 2, 9, 30)  # noqa: DTZ001 - what has to be refused


@pytest.mark.parametrize("wrong", [NAIVE, "2024-01-02T09:30:00", "2024-01-02", 1704187800, "1704187800", 1.7e9, date(2024, 1, 2)])
def test_a_time_without_zone_or_as_a_number_is_refused(wrong: object) -> None:
    """Nobody knows which moment is meant."""
    with pytest.raises(ValidationError):
        Stamped.model_validate({"time": wrong})


@given(moment=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2099, 1, 1)), hours=st.integers(-12, 14))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_an_aware_time_is_kept_as_the_same_moment_in_utc(moment: datetime, hours: int) -> None:
    """Whatever its zone, and through JSON."""
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    stamped = Stamped(time=aware)
    assert (stamped.time, stamped.time.tzinfo) == (aware, UTC)
    assert Stamped.model_validate_json(stamped.canonical()) == stamped


def test_an_unknown_field_is_refused_and_a_record_cannot_be_changed() -> None:
    """A typo is an error, and what was journaled stays as it was."""
    with pytest.raises(ValidationError):
        Sheet.model_validate({"alnoe": "1"})
    with pytest.raises(ValidationError):
        Sheet().alone = Decimal(1)  # type: ignore[misc]


@given(
    desk=st.from_regex(r"\A[a-z2-7]{6}\Z"),
    named=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.integers(1, 99)), min_size=2, max_size=6, unique=True),
)
def test_client_order_ids_are_short_plain_and_differ_by_decision_leg_and_attempt(desk: str, named: list[tuple[str, str, int]]) -> None:
    """Whatever the parts are, and the same parts give the same id."""
    ids = [client_order_id(desk, DecisionId(decision), leg, attempt) for decision, leg, attempt in named]
    assert all(re.fullmatch(r"[a-z0-9-]{1,36}", one) and one.startswith(f"{desk}-") for one in ids)
    assert len(set(ids)) == len(named)
    assert ids == [client_order_id(desk, DecisionId(decision), leg, attempt) for decision, leg, attempt in named]


@given(parts=st.lists(st.text(), max_size=4), length=st.integers(1, 32))
def test_a_derived_id_is_the_base_32_and_a_digest_the_hex_of_the_hash_of_the_canonical_text(parts: list[str], length: int) -> None:
    """Whoever reads a journal can reckon its ids again with any library: SHA-256 and RFC 4648 in small letters."""
    hashed = hashlib.sha256(canonical_json(parts).encode())
    text = base64.b32encode(hashed.digest()).decode().lower()
    assert (derive_id(*parts, length=length), derive_digest(*parts)) == (text[:length], hashed.hexdigest())


@given(amount=st.decimals(-(10**9), 10**9, places=8), by=st.decimals(1, 10**6, places=4))
def test_a_quotient_is_always_an_amount(amount: Decimal, by: Decimal) -> None:
    """A mean without end is cut to ten places, so that a record can hold it."""
    quotient = divided(amount, by)
    assert Sheet(alone=quotient).alone == quotient
    assert abs(quotient * by - amount) <= by * Decimal("1e-10")


def test_an_amount_is_spelled_the_same_before_it_was_journaled_and_after() -> None:
    """A desk that computes on, and one that was killed and reads its journal, write the same text of the same number."""
    sheet = Sheet(alone=Decimal("100000.00000000"))
    assert str(sheet.alone) == str(Sheet.model_validate_json(sheet.canonical()).alone) == "100000"
