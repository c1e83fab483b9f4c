"""The queue of articles on Redis: one stream with a consumer group, for workers on any number of machines.

Promises what the port does, as far as Redis keeps what it was given: an entry leaves the stream when it is done or dead and never because
there are many (a full queue refuses instead), what a holder did not end within its lease (by Redis's own clock) is given out alone, and
every step is one that nobody comes between. A Redis that went away is a QueueError, and is found again by the next call. One that came back
without its data has lost what was waiting; feeds put it again, and as articles have derived ids nothing is counted twice: for less, run it
with `appendonly yes`. Refuses a Redis that throws keys away when its memory is short. No error names a password.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trading_bot.domain.errors import ConfigError, QueueError
from trading_bot.domain.news import RawArticle
from trading_bot.news import queue_scripts
from trading_bot.ports.news import Delivery, QueueState
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news_queue import full, never_ended, readable

if TYPE_CHECKING:
    import redis

_GROUP = "workers"
_LONGEST_WAIT = timedelta(seconds=5)
"""Of one question; a connection that says nothing for longer than `_SILENCE` is broken."""
_SILENCE = 15.0


class RedisQueue:
    """A queue on the Redis at `url`. `prefix` begins its keys' names, so that several desks can use one server.

    `forget`: how long after its last question a worker that holds nothing is forgotten.
    """

    def __init__(self, url: str, settings: QueueSettings, prefix: str, forget: timedelta = timedelta(days=1)) -> None:
        self._client = _client(url)
        self._settings = settings
        # In braces: a cluster keeps keys that agree there on one node, so that a script may use both.
        self._keys = [f"{{{prefix}}}:news", f"{{{prefix}}}:news:dead"]
        self._words = [_GROUP, settings.capacity, round(settings.lease_seconds * 1000), settings.attempts]
        self._forget_ms = round(forget.total_seconds() * 1000)
        self._looked = False

    def put(self, raws: Sequence[RawArticle]) -> None:
        """Add all, or none with QueueFullError."""
        if not self._run(queue_scripts.PUT, *(raw.model_dump_json() for raw in raws)):
            raise full(len(raws), self._settings.capacity)

    def take(self, worker: str, most: int, patience: timedelta) -> Sequence[Delivery]:
        """Up to `most` that nobody has had, or one whose holder did not end in time; waits up to `patience`, at most 5 s."""
        late = self._run(queue_scripts.CLAIM, worker, never_ended(self._settings, ""))
        wait = round(min(patience, _LONGEST_WAIT).total_seconds() * 1000)
        with self._asking() as client:
            streams = [] if late else client.xreadgroup(_GROUP, worker, {self._keys[0]: ">"}, count=most, block=wait or None)
        fresh = [(name, 1, fields["raw"]) for _, entries in streams for name, fields in entries]
        found = [late] if late else fresh
        return [Delivery(name, raw, attempt) for name, attempt, text in found if (raw := readable(text)) is not None]

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these; again changes nothing."""
        if deliveries:
            names = [delivery.id for delivery in deliveries]
            with self._asking() as client:
                client.pipeline(transaction=True).xack(self._keys[0], _GROUP, *names).xdel(self._keys[0], *names).execute()

    def failed(self, delivery: Delivery, why: str) -> None:
        """Let it be given out again, or bury it; what was given to another meanwhile stays his."""
        self._run(queue_scripts.FAILED, delivery.id, delivery.attempt, why)

    def state(self) -> QueueState:
        """Its numbers now; the oldest is the first in line."""
        undone, held, dead, first = self._run(queue_scripts.STATE)
        raw = readable(first[0][1][1]) if first else None
        return QueueState(undone - held, held, dead, None if raw is None else raw.received_at)

    def dead(self, most: int) -> Sequence[tuple[RawArticle, str]]:
        """The dead, newest first, with their reasons."""
        with self._asking() as client:
            entries = client.xrevrange(self._keys[1], count=most)
        return [(raw, fields["why"]) for _, fields in entries if (raw := readable(fields["raw"])) is not None]

    def revive(self) -> int:
        """Put the dead back, oldest first, as many as there is room for; return how many."""
        return int(self._run(queue_scripts.REVIVE))

    def close(self) -> None:
        """Let go of the connections; what it holds stays."""
        self._client.close()

    def _run(self, script: str, *words: str | int) -> Any:  # noqa: ANN401 - whatever the script returns
        with self._asking() as client:
            self._look_once(client)
            return self._scripts[script](keys=self._keys, args=[*self._words, *words])

    def _look_once(self, client: Any) -> None:  # noqa: ANN401 - redis types every answer as one that might be awaited
        """Refuse a server that would throw articles away, and forget workers that are long gone."""
        if self._looked:
            return
        memory = client.info("memory")
        if memory.get("maxmemory") and str(memory.get("maxmemory_policy")).startswith("allkeys"):
            raise ConfigError(f"{self._name}: throws away articles when memory is short; set its maxmemory-policy to noeviction")
        self._scripts[queue_scripts.SWEEP](keys=self._keys, args=[*self._words, self._forget_ms])
        self._looked = True

    @cached_property
    def _scripts(self) -> dict[str, Callable[..., Any]]:
        """Each is sent once, and again to a server that has forgotten it."""
        names = ("PUT", "CLAIM", "FAILED", "STATE", "REVIVE", "SWEEP")
        return {text: self._client.register_script(text) for name in names if (text := getattr(queue_scripts, name))}

    @property
    def _name(self) -> str:
        """Where the server is, for people; without user and password."""
        told = self._client.connection_pool.connection_kwargs
        return f"Redis at {told.get('path') or '{}:{}'.format(told.get('host', 'localhost'), told.get('port', 6379))}"

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses Redis loads its client

        try:
            yield self._client
        except RedisError as error:
            raise QueueError(
                f"{self._name}: {' '.join(str(error).split())}; look at that server, and at redis.url: what was put is there still"
            ) from error


def _client(url: str) -> "redis.Redis":
    try:
        import redis  # noqa: PLC0415 - an extra: only who uses Redis needs it
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the same
        from redis.retry import Retry  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError("redis.url is set, but its client is not installed: pip install 'trading-bot[redis]'") from error
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=_SILENCE,
            socket_connect_timeout=5,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 0),  # who asks waits and asks again, and says so
        )
    except ValueError:
        # Without its cause, which may quote a password with an unexpected sign in it.
        raise ConfigError("redis.url cannot be read; write / : @ ? # % in user and password as %2F %3A %40 %3F %23 %25") from None
