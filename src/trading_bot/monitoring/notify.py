"""Notifications to people, by apprise: mail, SMS, chat, a hundred services by one address each.

Promises that `tell` returns at once and never raises: a thread sends, the desk trades. What could not be delivered stands in the log.
Refuses to print an address: it holds the service's secret.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import structlog

if TYPE_CHECKING:
    from apprise import Apprise

_log = structlog.get_logger(__name__)
_LONGEST_QUEUE = 100
_LONGEST_BODY = 4000


class AppriseNotifier:
    """Tells everybody in `urls`, in apprise's words; with none it does nothing. `close` waits a moment for what is on its way."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)
        self._queue: queue.Queue[tuple[str, str] | None] = queue.Queue(_LONGEST_QUEUE)
        self._thread: threading.Thread | None = None
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, title: str, body: str) -> None:
        """Put it on its way."""
        if not self._urls:
            return
        try:
            self._queue.put_nowait((title, body[:_LONGEST_BODY]))
        except queue.Full:
            _log.error("nobody was told: too many notifications wait", title=title)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name="notifications", daemon=True)
            self._thread.start()

    def close(self, patience_s: float = 3.0) -> None:
        """Deliver what waits, for at most `patience_s`."""
        if self._thread is not None:
            with suppress(queue.Full):
                self._queue.put_nowait(None)
            self._thread.join(patience_s)
        self._over = True

    def _deliver(self) -> None:
        people = self._people()
        while (message := self._queue.get()) is not None and not self._over:
            title, body = message
            try:
                delivered = bool(people.notify(title=title, body=body))
            except Exception as error:  # noqa: BLE001  # edge: who cannot be told must not stop what protects their money
                _log.error("a notification failed", title=title, kind=type(error).__name__)  # a traceback would hold the address
                continue
            if not delivered:
                _log.error("a notification was not delivered everywhere", title=title)

    def _people(self) -> "Apprise":
        from apprise import Apprise  # noqa: PLC0415 - half a second that only who tells somebody pays

        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it writes addresses
        people = Apprise()
        for number, url in enumerate(self._urls, start=1):
            if not people.add(url):
                _log.error("an address of notify.urls cannot be used", number=number)
        return people
