"""Things done one by one, so that one which the venue will not answer for holds up no other.

Promises that the first failure is raised once the others had their turn. Refuses to ask a venue on and on that answers nothing: after
three failures in a row the rest waits for the next time.
"""

from typing import Self

from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError, OutcomeUnknownError

AWAY = (BrokerUnavailableError, BrokerKeysError, OutcomeUnknownError)
"""The venue did not say what became of it."""
_MOST_IN_A_ROW = 3


class Apart:
    """Collects what went wrong while several things are done."""

    def __init__(self) -> None:
        self._first: Exception | None = None
        self._in_a_row = 0

    def one(self) -> Self:
        """Do one of them."""
        return self

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            self._in_a_row = 0
        if not isinstance(error, AWAY):
            return False
        self._first = self._first or error
        self._in_a_row += 1
        return self._in_a_row < _MOST_IN_A_ROW

    def end(self) -> None:
        """Raise the first thing that went wrong, if anything did."""
        if self._first is not None:
            raise self._first
