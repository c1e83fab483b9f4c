"""A worker: takes articles from the queue, has them read, and says that they are done.

Promises that an article is done only after it was read, so that a death at any moment loses none; that one which cannot be read takes no
other along; that a queue or a store which is away is waited for and told, however long; and that it holds one batch at a time. Once `stop`
is set it ends what it holds and takes no more; if it has to wait for that, another worker is given it when the lease is over. Refuses to
understand what it carries.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from trading_bot.domain.errors import StoppedError
from trading_bot.domain.news import RawArticle
from trading_bot.network.backoff import Backoff
from trading_bot.news.waiting import Stop, insist
from trading_bot.ports.news import Delivery, NewsQueue

Read = Callable[[Sequence[RawArticle]], None]
"""Reads articles and keeps what came of it; the same again changes nothing.

Any error that time does not put right (see `waiting`) is the articles' own.
"""
_Insisted = Callable[[Callable[[], Any]], Any]
_LONGEST_REASON = 300


def work(  # noqa: PLR0913 - what a loop needs of the world comes from outside
    queue: NewsQueue,
    read: Read,
    *,
    worker: str,
    batch: int,
    patience: timedelta,
    stop: Stop,
    tell: Callable[[str], None],
    backoff: Backoff,
) -> None:
    """Until `stop` is set, which is noticed within `patience`. `batch` articles have to be read within the queue's lease."""
    insisted: _Insisted = partial(insist, backoff=backoff, stop=stop, tell=tell)
    with suppress(StoppedError):
        while not stop.is_set():
            if held := insisted(lambda: queue.take(worker, batch, patience)):
                _handle(held, queue, read, insisted)


def _handle(held: Sequence[Delivery], queue: NewsQueue, read: Read, insisted: _Insisted) -> None:
    try:
        insisted(lambda: read([delivery.raw for delivery in held]))
    except StoppedError:
        raise
    except Exception as error:  # noqa: BLE001  # edge: whatever a stranger's text does to its reader is that text's own end
        why = _reason(error)
    else:
        insisted(lambda: queue.done(held))
        return
    if len(held) == 1:
        insisted(lambda: queue.failed(held[0], why))
        return
    for delivery in held:  # to find out which one it was
        _handle([delivery], queue, read, insisted)


def _reason(error: Exception) -> str:
    """For people: short, on one line, and nothing that a terminal obeys, for the text of a stranger may be in it."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(sign if sign.isprintable() else " " for sign in words)[:_LONGEST_REASON]
