"""The rate limit: so many calls of one endpoint in any second of the machine's time."""

from collections import defaultdict, deque
from datetime import datetime, timedelta

from trading_bot.sandbox.bybit.wire import millis

_SECOND = timedelta(seconds=1)
_PLENTY = 1000


class Limits:
    """Calls of the last second, by endpoint; without a limit they are told and never refused."""

    def __init__(self, per_second: int | None) -> None:
        self._most = per_second
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def admit(self, path: str, now: datetime) -> bool:
        """Count a call; False if it is one too many."""
        calls = self._calls[path]
        while calls and now - calls[0] >= _SECOND:
            calls.popleft()
        if self._most is not None and len(calls) >= self._most:
            return False
        calls.append(now)
        return True

    def headers(self, path: str, now: datetime, *, reset_in: float | None = None, empty: bool = False) -> dict[str, str]:
        """What an answer says of the limit."""
        most, calls = self._most or _PLENTY, self._calls[path]
        first = calls[0] if empty and calls else now
        reset = millis(now + timedelta(seconds=reset_in)) if reset_in is not None else millis(first + _SECOND if empty else now)
        left = 0 if empty else max(most - len(calls), 0)
        return {"X-Bapi-Limit": str(most), "X-Bapi-Limit-Status": str(left), "X-Bapi-Limit-Reset-Timestamp": str(reset)}
