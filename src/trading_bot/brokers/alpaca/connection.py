"""The wire to Alpaca's trading API: the vendor's SDK with a time-out, a budget and without its retries.

Promises that an order is posted once, whatever the answer (the SDK would post it again on 429 and 504); that no call hangs; that a call
beyond the budget is not sent; and that what fails raises one of our errors. Bodies are JSON: the vendor's models turn money into floats.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from alpaca.trading.client import TradingClient
from requests.adapters import HTTPAdapter

from trading_bot.brokers.alpaca.errors import Fate, fate_of, response_of, translate
from trading_bot.domain.errors import BrokerUnavailableError, OutcomeUnknownError, RateLimitedError
from trading_bot.network.budget import Purpose, RequestBudget
from trading_bot.network.keys import Keys
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

CONNECT_SECONDS = 4.0
READ_SECONDS = 10.0
_BURST_SECONDS = 15
"""The bucket holds the calls of so many seconds."""
_BLIND_WAIT = 5.0
"""After a 429 that does not say when to come back."""
_LONGEST_WAIT = 60.0
"""The vendor's window."""


class Connection:
    """Calls to one account. `guardian`: whether all of them may use the share of the budget that is kept for the guardian."""

    def __init__(  # noqa: PLR0913 - everything that it talks with
        self,
        settings: AlpacaSettings,
        keys: Keys,
        now: Callable[[], datetime],
        steady: Callable[[], float],
        *,
        guardian: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._keys = keys
        self._now = now
        self._purpose = Purpose.GUARDIAN if guardian else None
        rate = settings.requests_per_minute / 60
        self.budget = RequestBudget(max(rate * _BURST_SECONDS, 5), rate, steady)
        self._client = TradingClient(
            keys.key, keys.secret, paper=settings.environment is AlpacaEnvironment.PAPER, raw_data=True, url_override=settings.url
        )
        self._client._retry = 0  # noqa: SLF001 - the SDK has no public switch: 0 attempts are taken for "the default, 3"
        session = self._client._session  # noqa: SLF001 - nor a way to set a time-out
        session.trust_env = settings.url is None
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Patient((CONNECT_SECONDS, read_seconds)))
        session.hooks["response"].append(self._heed)

    def close(self) -> None:
        """Close its sockets."""
        self._client._session.close()  # noqa: SLF001 - as above

    def get(self, path: str, what: str, **parameters: str) -> Any:  # noqa: ANN401 - any JSON
        """Read."""
        return self._call(lambda: self._client.get(path, parameters), what, Purpose.LOOK, acts=False)

    def post(self, path: str, body: Mapping[str, object], what: str, purpose: Purpose) -> dict[str, Any]:
        """Send once."""
        return _object(self._call(lambda: self._client.post(path, dict(body)), what, purpose, acts=True), what)

    def patch(self, path: str, body: Mapping[str, object], what: str, purpose: Purpose) -> dict[str, Any]:
        """Change once."""
        return _object(self._call(lambda: self._client.patch(path, dict(body)), what, purpose, acts=True), what)

    def delete(self, path: str, what: str) -> None:
        """Cancel once."""
        self._call(lambda: self._client.delete(path), what, Purpose.CANCEL, acts=True)

    def _call(self, send: Callable[[], Any], what: str, purpose: Purpose, *, acts: bool) -> Any:  # noqa: ANN401 - any JSON
        wait = self.budget.take(self._purpose or purpose)
        if wait > 0:
            raise RateLimitedError(f"{what}: our own budget of requests is used up; wait {wait:.1f} s. Nothing was sent")
        try:
            return send()
        except Exception as error:  # noqa: BLE001  # edge: the SDK may raise anything, and the map has a fate for it
            if fate_of(error) is Fate.LIMITED:
                self.budget.block(self._asked_to_wait(response_of(error)))
            # Without its cause: what a library says may hold the keys.
            raise translate(error, what, acts=acts, hide=self._keys.hide) from None

    def _heed(self, response: requests.Response, *_: object, **__: object) -> None:
        """Believe what the vendor says of the calls that are left."""
        left = response.headers.get("X-RateLimit-Remaining", "")
        if left.isdigit():
            self.budget.remaining(float(left))

    def _asked_to_wait(self, response: requests.Response | None) -> float:
        headers = {} if response is None else response.headers
        if headers.get("Retry-After", "").isdigit():
            return min(float(headers["Retry-After"]), _LONGEST_WAIT)
        if not headers.get("X-RateLimit-Reset", "").isdigit():
            return _BLIND_WAIT
        reset = datetime.fromtimestamp(int(headers["X-RateLimit-Reset"]), UTC)
        wait = (reset - (_dated(headers.get("Date", "")) or self._now())).total_seconds()
        return min(max(wait, 1.0), _LONGEST_WAIT)


class _Patient(HTTPAdapter):
    """A transport that gives up after a while, and tries nothing twice."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__(max_retries=0)
        self._timeout = timeout

    def send(self, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - the signature of requests
        """Send with the time-out that the SDK does not set."""
        return super().send(*args, **{**options, "timeout": self._timeout})


def _dated(text: str) -> datetime | None:
    """The vendor's own clock, where it tells it: ours may be wrong."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo is not None else None


def _object(answer: object, what: str) -> dict[str, Any]:
    """OutcomeUnknownError if a call that acts was answered with anything but an object."""
    if not isinstance(answer, dict):
        raise OutcomeUnknownError(f"{what}: Alpaca's answer cannot be read; it MAY have been carried out")
    return answer


@contextmanager
def understood(what: str) -> Iterator[None]:
    """BrokerUnavailableError for an answer whose words we do not know: it is not guessed, and is no reason to fall over."""
    try:
        yield
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise BrokerUnavailableError(f"{what}: Alpaca's answer cannot be read ({error!r}); nothing was changed") from error


def rows(answer: object, what: str) -> list[dict[str, Any]]:
    """BrokerUnavailableError if a list was asked for and something else came: what is missing is not empty."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise BrokerUnavailableError(f"{what}: Alpaca's answer cannot be read; nothing was changed")
    return answer
