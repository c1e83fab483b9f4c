"""Building blocks of all records: exact amounts, UTC times, canonical JSON, derived ids.

Promises that money is `Decimal` (a float is refused, in containers too), that time is aware and UTC, and that equal
records have equal canonical bytes (1.50 and 1.5 are one amount and one text). Refuses to guess: times without a zone or
written as a number, NaN, infinities and absurd magnitudes raise.
"""

import hashlib
import json
from abc import abstractmethod
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Annotated, Any, ClassVar, NewType

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

DecisionId = NewType("DecisionId", str)
ProposalId = NewType("ProposalId", str)
VerdictId = NewType("VerdictId", str)
ClientOrderId = NewType("ClientOrderId", str)
EvidenceId = NewType("EvidenceId", str)
TaskRunId = NewType("TaskRunId", str)
Symbol = NewType("Symbol", str)
Digest = NewType("Digest", str)

ZERO = Decimal(0)
ONE = Decimal(1)
_LARGEST = Decimal(10) ** 15
_SMALLEST_EXPONENT = -18
_PLACES = Decimal("1e-10")
_SHORT = 15
_EXACT_KINDS = (str, int, Decimal)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(a + b for a in _LETTERS for b in _LETTERS)
"""Base 32 (RFC 4648) two digits at a time."""
_PAIR_BITS = 10
_PAIR = 2**_PAIR_BITS - 1


def _amount(value: object) -> object:
    """The exact amount that `value` says, in its one spelling; a text that says none is left for pydantic to refuse."""
    if type(value) is Decimal:
        return _sane(value)
    if value is None:
        return value  # nothing is no amount either, and pydantic says so
    if isinstance(value, bool) or not isinstance(value, _EXACT_KINDS):
        msg = f"must be an exact decimal (a string, an int or a Decimal), not {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns ValueError, not TypeError, into a field error
    try:
        return _sane(Decimal(value))
    except InvalidOperation:
        return value


def _sane(value: Decimal) -> Decimal:
    text = str(value)
    if len(text) <= _SHORT and "E" not in text and (text.isdecimal() or ("." in text and text[-1] != "0")):
        return value  # nearly every amount: below 1e15, and spelled as it should be
    if not value.is_finite():
        return value
    # `abs` rounds, and raises where the exponent has no end.
    if value.copy_abs() >= _LARGEST:
        msg = f"is absurdly large ({value:.3e}); the largest amount is 1e15"
        raise ValueError(msg)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _SMALLEST_EXPONENT:
        msg = "has more than 18 decimal places"
        raise ValueError(msg)
    # One spelling in memory too: what is read back from the journal must not differ from what was written.
    return Decimal(amount_text(value))


def amount_text(value: Decimal | str) -> str:
    """The one spelling of an amount: no exponent, no trailing zeros. A word beside amounts (`none`) stays as it is."""
    if isinstance(value, str) or not value:
        return str(value or "0")
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        msg = f"must be ISO 8601 with a zone, not {type(value).__name__}: nobody knows what a number counts from"
        raise ValueError(msg)  # noqa: TRY004 - as in `_amount`
    return value if value.tzinfo is UTC else _utc(value)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None or value.utcoffset() is None:
        msg = "must be aware; a time without zone is refused"
        raise ValueError(msg)
    return value.astimezone(UTC)


# Bounds stand first, where pydantic's own code checks them; behind our functions they would be functions too.
_EXACT, _TEXT = BeforeValidator(_amount), PlainSerializer(amount_text, when_used="json")
Amount = Annotated[Decimal, _EXACT, _TEXT]
"""Any exact decimal: money, a price difference, a signed quantity."""
Positive = Annotated[Decimal, Field(gt=0), _EXACT, _TEXT]
NonNegative = Annotated[Decimal, Field(ge=0), _EXACT, _TEXT]
Fraction = Annotated[Decimal, Field(gt=0, le=1), _EXACT, _TEXT]
"""A share of a whole, above 0 and at most 1."""
UtcTime = Annotated[datetime, BeforeValidator(_moment)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""An analytic share from 0 to 1 (a confidence, a relative score); never money."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Record(BaseModel):
    """A frozen record; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical(self) -> str:
        """JSON with sorted keys and no spaces; equal records give equal text."""
        return canonical_json(self.model_dump(mode="json"))

    def fingerprint(self) -> Digest:
        """SHA-256 of the canonical JSON, as 64 hex digits."""
        return Digest(hashlib.sha256(self.canonical().encode()).hexdigest())


class Journaled(Record):
    """A record that the journal keeps: one row per (`kind`, `key`), written once and never changed.

    `recovery` rows tell of starts and of doubts that were resolved; `journal export` leaves them out.
    """

    kind: ClassVar[str]
    recovery: ClassVar[bool] = False

    at: UtcTime
    """Trading time at which it happened."""

    @property
    @abstractmethod
    def key(self) -> str:
        """What makes the row unique among its kind."""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """JSON text that is equal for equal values: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(value)


def divided(amount: Decimal, by: Decimal) -> Decimal:
    """Return `amount / by` to ten places: a quotient may have no end, and an `Amount` has 18 places at most."""
    return (amount / by).quantize(_PLACES)


def derive_id(*parts: str, length: int = 20) -> str:
    """Return an id of `length` characters of `[a-z2-7]` that is a pure function of `parts`."""
    hashed = hashlib.sha256(_joined(parts))
    pairs = -(-length // 2)
    number = int.from_bytes(hashed.digest()) >> (8 * hashed.digest_size - _PAIR_BITS * pairs)
    return "".join([_PAIRS[number >> shift & _PAIR] for shift in range(_PAIR_BITS * (pairs - 1), -1, -_PAIR_BITS)])[:length]


def derive_digest(*parts: str) -> Digest:
    """Return the SHA-256 of `parts` as 64 hex digits."""
    return Digest(hashlib.sha256(_joined(parts)).hexdigest())


def _joined(parts: tuple[str, ...]) -> bytes:
    """The canonical JSON of some texts, which is put together faster than any JSON is."""
    return f"[{','.join(map(encode_basestring, parts))}]".encode()


def client_order_id(desk: str, decision: DecisionId, leg: str, attempt: int) -> ClientOrderId:
    """Return `{desk}-{hash}`: at most 36 characters of `[a-z0-9-]`, the same for the same decision, leg and attempt."""
    return ClientOrderId(f"{desk}-{derive_id(decision, leg, str(attempt), length=24)}")
