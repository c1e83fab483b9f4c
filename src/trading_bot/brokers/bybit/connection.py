"""The line to Bybit's REST interface: pybit's own session without its retries, a budget of calls, and one meaning for each failure.

Promises that no call is sent twice, that none waits for ever, that keys appear in no message, and that Bybit's own word about what is
left of its limits is believed. Refuses to call when the budget says no for longer than a moment: it says how long to wait.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from trading_bot.brokers.bybit.errors import Meaning, meaning_of, raise_order, raise_read
from trading_bot.domain.errors import BrokerUnavailableError, RateLimitedError
from trading_bot.network.budget import Purpose, RequestBudget
from trading_bot.network.keys import Keys
from trading_bot.settings import BybitEnvironment, BybitSettings

Row = dict[str, Any]
"""One JSON object of Bybit's."""
CONNECT_SECONDS = 3.05
PATIENCE_SECONDS = 1.0
"""For so long a call waits for its turn in our own budget: one round of questions may be larger than what may be asked at once."""
_MOST_PAGES = 200
_BANNED_SECONDS = 10.0
_LONGEST_SECONDS = 60.0


def session(settings: BybitSettings, keys: Keys, timeout: float) -> HTTP:
    """The SDK's client for the chosen environment, or for the emulator that the settings name."""
    http = HTTP(
        testnet=settings.environment is BybitEnvironment.TESTNET,
        demo=settings.environment is BybitEnvironment.DEMO,
        api_key=keys.key,
        api_secret=keys.secret,
        recv_window=settings.receive_window_ms,
        timeout=(CONNECT_SECONDS, timeout),
        force_retry=False,
        max_retries=1,
        return_response_headers=True,
    )
    http.retry_codes = set()  # given to the constructor, an empty set would mean pybit's own list
    http.client.max_redirects = 0  # a redirected post would be a second post
    http.logger.handlers.clear()  # pybit prints by itself where nobody has set up logging
    if settings.url is not None:
        http.endpoint = settings.url
    return http


class Connection:
    """Calls by the name of pybit's method. `guardian`: every call may dig into the guardian's share."""

    def __init__(
        self, settings: BybitSettings, keys: Keys, steady: Callable[[], float], *, timeout: float = 5.0, guardian: bool = False
    ) -> None:
        self._http = session(settings, keys, timeout)
        self._keys = keys
        self._guardian = guardian
        self._pause: Callable[[float], object] = threading.Event().wait
        self._capacity = settings.requests_per_second
        self._budget = RequestBudget(self._capacity, self._capacity, steady)
        self.milliseconds = 0
        """Bybit's own time in its last answer."""

    def read(self, method: str, purpose: Purpose = Purpose.LOOK, **query: object) -> Row:
        """Ask; the answer's `result`. BrokerUnavailableError or BrokerKeysError."""
        return self._call(method, purpose, query, raise_read)

    def act(self, method: str, purpose: Purpose, **query: object) -> Row:
        """Place, change or cancel, once. RefusedError means nothing was placed, OutcomeUnknownError that it may have been."""
        return self._call(method, purpose, query, raise_order)

    def pages(self, method: str, **query: object) -> Iterator[Row]:
        """Every row of a list, page by page."""
        cursor = None
        for _ in range(_MOST_PAGES):
            result = self.read(method, Purpose.LOOK, **query, cursor=cursor)
            rows = result.get("list") or []
            yield from rows
            cursor = result.get("nextPageCursor") or None
            if cursor is None or not rows:
                return
        raise BrokerUnavailableError(f"Bybit's {method} has no end after {_MOST_PAGES} pages")

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.client.close()

    def _call(  # noqa: RET503 - `fail` never returns
        self, method: str, purpose: Purpose, query: Mapping[str, object], fail: Callable[[Meaning, str, float], NoReturn]
    ) -> Row:
        self._take_turn(Purpose.GUARDIAN if self._guardian else purpose)
        try:
            body, _, headers = getattr(self._http, method)(**query)
            if body["retCode"] != 0:
                raise ValueError("the answer says neither yes nor no")  # noqa: TRY301 - it goes the way of all failures
        except Exception as error:  # noqa: BLE001  # edge: whatever the SDK raises has one meaning, and an unknown one is uncertain
            meaning, headers, said = meaning_of(error), getattr(error, "resp_headers", None) or {}, self._words(error)
        else:
            self._note_limits(headers, limited=False)
            self.milliseconds = max(self.milliseconds, _milliseconds(body.get("time")))
            result: Row = body.get("result") or {}
            return result
        # Out here, so that what a library says, which may hold the keys, is no part of the error.
        fail(meaning, said, self._note_limits(headers, limited=meaning is Meaning.LIMITED))

    def _take_turn(self, purpose: Purpose) -> None:
        patience = PATIENCE_SECONDS
        while (wait := self._budget.take(purpose)) > 0:
            if wait > patience:
                raise RateLimitedError(f"our own budget of Bybit calls is used up; nothing was sent, wait {wait:.1f} s")
            patience -= wait
            self._pause(wait)

    def _note_limits(self, headers: Mapping[str, str], *, limited: bool) -> float:
        """Believe what the headers say of the limits; seconds to wait if the call was refused for them."""
        left, most = headers.get("X-Bapi-Limit-Status", ""), headers.get("X-Bapi-Limit", "")
        if left.isdigit() and most.isdigit() and int(most):
            # Bybit counts each endpoint by itself: the share that is left there is what we take to be left of all.
            self._budget.remaining(self._capacity * int(left) / int(most))
        if not limited:
            return 0.0
        now, reset = _said_now(headers), headers.get("X-Bapi-Limit-Reset-Timestamp", "")
        pause = (int(reset) - now) / 1000 if now and reset.isdigit() else (1.0 if left else _BANNED_SECONDS)
        pause = min(max(pause, 0.1), _LONGEST_SECONDS)
        self._budget.block(pause)
        return pause

    def _words(self, error: Exception) -> str:
        """What went wrong, without our request and our keys."""
        if isinstance(error, InvalidRequestError | FailedRequestError):
            kind = "retCode" if isinstance(error, InvalidRequestError) else "HTTP"
            return self._keys.hide(f"{error.message}, {kind} {error.status_code}")
        return self._keys.hide(f"{type(error).__name__}: {error}")[:200]


@contextmanager
def understood(what: str) -> Iterator[None]:
    """BrokerUnavailableError for an answer whose words we do not know: it is not guessed, and is no reason to fall over."""
    try:
        yield
    except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise BrokerUnavailableError(f"{what}: Bybit's answer cannot be read ({error!r})") from error


def _milliseconds(told: object) -> int:
    """A time in an answer; 0 if it is none."""
    return int(str(told)) if str(told).isdigit() else 0


def _said_now(headers: Mapping[str, str]) -> int:
    """Bybit's time in milliseconds as the headers of an answer tell it; 0 if they do not."""
    exact, date = headers.get("Timenow", ""), headers.get("Date", "")
    if exact.isdigit():
        return int(exact)
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1000)
    except ValueError:
        return 0
