"""The error map of Alpaca: what a failed call means for an order, as a table.

Promises that every failure of the SDK and of the transport below it becomes one of our errors, and that one after which the order may be
placed is never taken for a refusal: only an answer in Alpaca's own words is one. Keys never get into a message.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import requests
from alpaca.common.exceptions import APIError, RetryException
from requests import exceptions as transport
from urllib3.exceptions import HTTPError as PoolError
from urllib3.exceptions import NewConnectionError

from trading_bot.domain.errors import (
    BrokerError,
    BrokerKeysError,
    BrokerUnavailableError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
    RateLimitedError,
)


class Fate(StrEnum):
    """What became of a call that failed."""

    NOT_SENT = "not_sent"
    """Nothing reached the venue."""
    MAYBE = "maybe"
    """Bytes may have left: it may have been carried out."""
    ANSWERED = "answered"
    """The venue said something; its status says what."""
    LIMITED = "limited"
    REFUSED = "refused"
    KEYS = "keys"
    ABSENT = "absent"
    UNREAD = "unread"
    """A question that failed in whatever way: asking changes nothing."""


FATES: Mapping[type[Exception], Fate] = {
    APIError: Fate.ANSWERED,
    transport.HTTPError: Fate.ANSWERED,
    RetryException: Fate.MAYBE,
    transport.ConnectTimeout: Fate.NOT_SENT,
    transport.InvalidHeader: Fate.NOT_SENT,
    transport.InvalidProxyURL: Fate.NOT_SENT,
    transport.InvalidSchema: Fate.NOT_SENT,
    transport.InvalidURL: Fate.NOT_SENT,
    transport.MissingSchema: Fate.NOT_SENT,
    transport.URLRequired: Fate.NOT_SENT,
    transport.UnrewindableBodyError: Fate.NOT_SENT,
    transport.ChunkedEncodingError: Fate.MAYBE,
    transport.ConnectionError: Fate.MAYBE,
    transport.ContentDecodingError: Fate.MAYBE,
    transport.InvalidJSONError: Fate.MAYBE,
    transport.JSONDecodeError: Fate.MAYBE,
    transport.ProxyError: Fate.MAYBE,
    transport.ReadTimeout: Fate.MAYBE,
    transport.RequestException: Fate.MAYBE,
    transport.RetryError: Fate.MAYBE,
    transport.SSLError: Fate.MAYBE,
    transport.StreamConsumedError: Fate.MAYBE,
    transport.Timeout: Fate.MAYBE,
    transport.TooManyRedirects: Fate.MAYBE,
    PoolError: Fate.MAYBE,
}
"""Of every exception that the SDK and `requests` define; a class that is not here takes the fate of its nearest base."""

STATUSES: Mapping[int, Fate] = {
    400: Fate.REFUSED,
    401: Fate.KEYS,
    403: Fate.REFUSED,
    404: Fate.ABSENT,
    408: Fate.MAYBE,
    409: Fate.REFUSED,
    422: Fate.REFUSED,
    429: Fate.LIMITED,
}
"""Of an answer's status; others of the 4xx are refusals too, everything else leaves it open."""

_WORDS: Mapping[Fate, tuple[type[BrokerError], str]] = {
    Fate.KEYS: (
        BrokerKeysError,
        "Alpaca does not accept these keys; nothing was placed; paper and live have keys of their own: look at alpaca.environment",
    ),
    Fate.LIMITED: (RateLimitedError, "Alpaca asks to wait; nothing was placed"),
    Fate.NOT_SENT: (BrokerUnavailableError, "Alpaca cannot be reached; nothing was sent"),
    Fate.ABSENT: (OrderNotFoundError, "Alpaca does not have it; nothing was changed"),
    Fate.REFUSED: (OrderRejectedError, "Alpaca refused; nothing was placed"),
    Fate.UNREAD: (BrokerUnavailableError, "Alpaca did not answer the question; nothing was changed"),
    Fate.MAYBE: (OutcomeUnknownError, "no answer that says what happened; it MAY have been carried out"),
}
_KEYS_CODES = range(40_110_000, 40_120_000)
_FORBIDDEN = "forbidden."
"""What the gateway says, with 403 and without a code, to keys that it does not know."""


def fate_of(error: Exception) -> Fate:
    """What became of the call that raised `error`."""
    fate = next((FATES[base] for base in type(error).__mro__ if base in FATES), Fate.MAYBE)
    if fate is Fate.ANSWERED:
        return _answered(error)
    return Fate.NOT_SENT if fate is Fate.MAYBE and _never_connected(error) else fate


def translate(error: Exception, what: str, *, acts: bool, hide: Callable[[str], str]) -> BrokerError:
    """Our error for `error` while doing `what`; `acts`: whether that changes something at the venue."""
    fate = fate_of(error)
    if not acts and fate in {Fate.MAYBE, Fate.REFUSED}:
        fate = Fate.UNREAD
    kind, words = _WORDS[fate]
    return kind(f"{what}: {words} ({hide(said_by(error))})")


def said_by(error: Exception) -> str:
    """The venue's own words where it had any, else the error's."""
    if isinstance(error, APIError):
        body, status = _body(error), _status(error)
        return f"{status}: {body['message']}" if body else f"{status}, with a body that is not Alpaca's"
    return f"{type(error).__name__}: {error}"[:300]


def response_of(error: Exception) -> requests.Response | None:
    """The answer that an error is about, if there was one."""
    found = error.response if isinstance(error, APIError | transport.RequestException) else None
    return found if isinstance(found, requests.Response) else None


def _answered(error: Exception) -> Fate:
    status, body = _status(error), _body(error)
    if status == requests.codes.too_many_requests:
        return Fate.LIMITED
    if body is None:
        return Fate.KEYS if status == requests.codes.unauthorized else Fate.MAYBE
    code = body.get("code")
    if (isinstance(code, int) and code in _KEYS_CODES) or (code is None and body["message"] == _FORBIDDEN):
        return Fate.KEYS
    client_error = 400 <= status < 500  # noqa: PLR2004 - the range of client errors
    return STATUSES.get(status, Fate.REFUSED if client_error else Fate.MAYBE)


def _status(error: Exception) -> int:
    response = response_of(error)
    return 0 if response is None else response.status_code


def _body(error: Exception) -> dict[str, Any] | None:
    """The answer in Alpaca's form: an object with a message; None if it is anything else (`APIError.code` would raise)."""
    response = response_of(error)
    try:
        body = json.loads("" if response is None else response.text)
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("message"), str) else None


def _never_connected(error: Exception) -> bool:
    """Whether the connection was refused, its name not found, or its certificate wrong, before anything was sent."""
    pool = error.args[0] if error.args else None
    reason = getattr(pool, "reason", pool)
    inner = reason.args[0] if isinstance(reason, PoolError) and reason.args else None
    return isinstance(reason, NewConnectionError) or isinstance(inner, ssl.SSLCertVerificationError)
