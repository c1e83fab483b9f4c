"""What Bybit's answers and pybit's exceptions mean to the desk, as tables.

Promises that an answer which does not say for sure that nothing was placed is never taken for a refusal. Refuses to guess: a code that
no table lists is uncertain.
"""

from enum import StrEnum
from typing import NoReturn

from pybit.exceptions import (
    FailedRequestError,
    InvalidChannelTypeError,
    InvalidRequestError,
    TopicMismatchError,
    UnauthorizedExceptionError,
)
from requests.exceptions import ConnectionError as ConnectionFailed
from requests.exceptions import ConnectTimeout, InvalidURL, RequestException
from urllib3.exceptions import MaxRetryError, NewConnectionError

from trading_bot.domain.errors import (
    BrokerError,
    BrokerKeysError,
    BrokerUnavailableError,
    OrderRejectedError,
    OutcomeUnknownError,
    RateLimitedError,
)


class Meaning(StrEnum):
    """What became of a call."""

    REFUSED = "refused"
    """The venue said no; nothing was placed."""
    ABSENT = "absent"
    """There is no such order, or it is too late for it."""
    ENDED = "ended"
    """The order is at its end already."""
    KNOWN = "known"
    """The client order id is in use: the order exists."""
    UNCHANGED = "unchanged"
    """It was so already."""
    LIMITED = "limited"
    """Too many calls; nothing was done."""
    KEYS = "keys"
    """The keys are wrong, expired, bound to another address, or lack a permission."""
    CLOCK = "clock"
    """Our timestamp lies outside the receive window; nothing was done."""
    UNSENT = "unsent"
    """No connection: nothing left this machine."""
    UNCERTAIN = "uncertain"
    """It may have happened."""


_M = Meaning
CODES: dict[int, Meaning] = {
    **dict.fromkeys((10003, 10004, 10005, 10007, 10008, 10010, 10028, 33004, -2015, 100028), _M.KEYS),
    **dict.fromkeys((10006, 10009, 10018, 10429, 429, 20003, 170005, 170222), _M.LIMITED),
    **dict.fromkeys((10002, -1), _M.CLOCK),
    **dict.fromkeys((10000, 10014, 10016, 10019, 40004, 110079, 170001, 170007, 170032, 170146, 170147, 170149), _M.UNCERTAIN),
    **dict.fromkeys((10001, 10017, 10024, 10027, 10029, 10404), _M.REFUSED),
    **dict.fromkeys((110001, 110019, 170143, 170213), _M.ABSENT),
    **dict.fromkeys((110008, 110010, 170139, 170142, 170190), _M.ENDED),
    **dict.fromkeys((110072, 110030, 170141), _M.KNOWN),
    **dict.fromkeys((110025, 110026, 110027, 110043, 34036, 34040), _M.UNCHANGED),
}
"""By retCode. 10000, 10016 and their like are the server's own trouble, met with the order in its hands."""
REFUSALS = (range(30000, 40000), range(110000, 111000), range(130000, 140000), range(170000, 183000))
"""Numbers that Bybit gives to the rules of trading: whatever CODES does not list among them is a refusal."""
STATUSES: dict[int, Meaning] = {400: _M.REFUSED, 401: _M.KEYS, 403: _M.LIMITED, 404: _M.REFUSED, 429: _M.LIMITED}
"""By HTTP status, other than 200. 403 is the ban of an address that asked too often."""
SDK_ERRORS: dict[type[Exception], Meaning | None] = {
    InvalidRequestError: None,  # by its retCode
    FailedRequestError: None,  # by its HTTP status
    UnauthorizedExceptionError: _M.KEYS,
    InvalidChannelTypeError: _M.UNSENT,
    TopicMismatchError: _M.UNSENT,
}
"""Every exception that pybit defines."""


class RefusedError(OrderRejectedError):
    """The venue's refusal, with what it means: for who asked, who may know better than to pass it on."""

    def __init__(self, message: str, meaning: Meaning) -> None:
        super().__init__(message)
        self.meaning = meaning


class QuestionRefusedError(BrokerUnavailableError):
    """The venue understood a question and would not answer it: there is no such symbol, for example."""


def meaning_of(error: Exception) -> Meaning:
    """What an exception of pybit or requests says about the call."""
    if isinstance(error, InvalidRequestError):
        return of_code(int(error.status_code))
    if isinstance(error, FailedRequestError):
        # Without headers pybit made it up itself, from a body that it could not read.
        return _M.UNCERTAIN if error.resp_headers is None else STATUSES.get(error.status_code, _M.UNCERTAIN)
    if isinstance(error, RequestException):
        return _M.UNSENT if never_left(error) else _M.UNCERTAIN
    return SDK_ERRORS.get(type(error)) or _M.UNCERTAIN


def of_code(code: int) -> Meaning:
    """What a retCode says."""
    listed = CODES.get(code)
    if listed is not None:
        return listed
    return _M.REFUSED if any(code in block for block in REFUSALS) else _M.UNCERTAIN


def never_left(error: RequestException) -> bool:
    """Whether the connection was never made, so that no byte of the call can have arrived."""
    if isinstance(error, ConnectTimeout | InvalidURL):
        return True
    cause = error.args[0] if isinstance(error, ConnectionFailed) and error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def raise_order(meaning: Meaning, said: str, wait: float = 0.0) -> NoReturn:
    """Raise what the port promises for a call that places, changes or cancels."""
    if meaning is _M.UNCERTAIN:
        raise OutcomeUnknownError(f"Bybit did not answer for sure ({said}): it may have happened; ask by the client order id")
    _raise_common(meaning, said, wait)
    raise RefusedError(f"Bybit refused ({said}); nothing was placed", meaning)


def raise_read(meaning: Meaning, said: str, wait: float = 0.0) -> NoReturn:
    """Raise what the port promises for a question."""
    _raise_common(meaning, said, wait)
    if meaning is not _M.UNCERTAIN:
        raise QuestionRefusedError(f"Bybit refused the question ({said})")
    raise BrokerUnavailableError(f"Bybit did not answer the question ({said})")


def _raise_common(meaning: Meaning, said: str, wait: float) -> None:
    found: dict[Meaning, BrokerError] = {
        _M.KEYS: BrokerKeysError(
            f"Bybit does not take these keys ({said}): keys of testnet, demo and live differ; look at bybit.environment, at the key's "
            "permissions, its expiry and the addresses it is bound to"
        ),
        _M.LIMITED: RateLimitedError(f"Bybit asks for patience ({said}); nothing was done, wait {wait:.1f} s"),
        _M.CLOCK: BrokerUnavailableError(
            f"this machine's clock is not Bybit's ({said}); nothing was done: synchronise it (NTP), or widen bybit.receive_window_ms"
        ),
        _M.UNSENT: BrokerUnavailableError(f"Bybit cannot be reached ({said}); nothing was sent"),
    }
    if meaning in found:
        raise found[meaning]
