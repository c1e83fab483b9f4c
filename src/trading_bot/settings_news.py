"""Sections of the configuration about news and the models that read it.

Promises and refuses what `settings.py` does.
"""

from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from trading_bot.domain.news import Tier
from trading_bot.domain.values import ONE, Finite, Fraction, NonNegative, Positive, Ratio, Record

_LEAST_CAPACITY = 100
Arm = Literal["technical", "combined"]
"""How an analysis is scored: by prices alone, or together with news."""


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError("must be an address such as https://host/path, without a password in it")
    return url


Url = Annotated[str, BeforeValidator(lambda value: _http(value) if isinstance(value, str) else value)]


class FeedSettings(Record):
    """One feed. Its key, if it needs one, comes from the environment."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    kind: str = "rss"
    """rss (Atom too), newsapi, alpha_vantage, alpaca, or the name of an installed entry point."""
    url: Url | None = None
    """Of an RSS feed; elsewhere only to name an emulator or a mirror."""
    query: str = ""
    """What to ask for, where the kind can be asked; empty: the universe."""
    weight: Ratio = 1.0
    """How far it is believed."""
    every_seconds: int = Field(default=120, ge=5, le=86_400)


class QueueSettings(Record):
    """Where articles wait for workers. Embedded in the home, or on Redis where `redis.url` names one."""

    capacity: int = Field(ge=1)
    lease_seconds: Finite = Field(gt=0)
    """An article that a worker has held for longer is given to another."""
    attempts: int = Field(ge=1)
    """So many, and it is put on the list of the dead."""


class EscalationSettings(Record):
    """When a symbol climbs to a better reader, and when not."""

    deviations: Finite = Field(gt=0)
    position: Fraction
    """Share of equity above which a position's news climbs."""
    limit_near: Fraction
    """Share of a limit from which on it counts as near."""
    disagreement: Annotated[float, Field(gt=0, le=2)]
    """Distance of two models' scores from which on they contradict each other."""
    worth: Fraction
    """Climb only if this share of the money at risk exceeds the call's price."""
    new_strategy_trades: int = Field(ge=0)
    """Closed trades below which a strategy is new."""
    pause_minutes: int = Field(ge=0)
    """A symbol climbs once in so long for one reason."""
    per_day: dict[Tier, int]
    """Calls of a UTC day by tier; a tier that is not named has no cap of its own."""


class NewsSettings(Record):
    """Feeds, and what is made of them."""

    feeds: tuple[FeedSettings | str, ...]
    """A bare word names a preset."""
    tiers: tuple[Tier, ...]
    """Who may read, cheapest first; each falls back to the one before it."""
    private_hosts: tuple[str, ...]
    """host:port of feeds in the own network; every other private address is refused."""
    max_bytes: int = Field(ge=1000)
    """Of a feed's answer, unpacked."""
    timeout_seconds: Finite = Field(gt=0)
    """For a whole answer."""
    window_hours: int = Field(ge=1)
    """Older stories count no more."""
    half_life_minutes: int = Field(ge=1)
    baseline_days: int = Field(ge=1)
    """What a reading is compared with."""
    anomaly_deviations: Finite = Field(gt=0)
    corroboration: int = Field(ge=1)
    """A story moves a decision once so many independent feeds told it."""
    sentiment_weight: Ratio
    """Of sentiment at full confidence in a combined score; technicals have the rest."""
    arms: dict[Arm, NonNegative]
    """A/B test: share of symbols that are analysed in each way."""
    experiment: str = Field(min_length=1)
    """Name of the A/B test; another one draws the arms anew."""
    trades_per_arm: int = Field(ge=10)
    """Closed trades that each arm needs before its results are told: fixed beforehand, so that nobody stops at a lucky moment."""
    keep_days: int = Field(ge=1)
    queue: QueueSettings
    escalation: EscalationSettings

    @field_validator("tiers")
    @classmethod
    def _ends_with_what_needs_nothing(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        ranked = sorted(set(tiers), key=list(Tier).index)
        if list(tiers) != ranked or not tiers or tiers[0] is not Tier.LEXICON:
            raise ValueError(f"must begin with lexicon and rise, each once: {', '.join(Tier)}")
        return tiers

    @field_validator("queue")
    @classmethod
    def _takes_a_part(cls, queue: QueueSettings) -> QueueSettings:
        if queue.capacity < _LEAST_CAPACITY:
            raise ValueError(f"needs a capacity of at least {_LEAST_CAPACITY}: feeds bring so many at once")
        return queue

    @field_validator("arms")
    @classmethod
    def _whole(cls, arms: dict[Arm, Decimal]) -> dict[Arm, Decimal]:
        if sum(arms.values()) != ONE:
            raise ValueError(f'must add up to 1, not {sum(arms.values())}; name every arm, such as {{technical: "0", combined: "1"}}')
        return arms


class OllamaSettings(Record):
    """Local models. Without an address there are none."""

    url: Annotated[tuple[Url, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value or ())]
    """One server or several."""
    models: tuple[str, ...] = Field(min_length=1)
    per_model: int = Field(ge=1, le=64)
    """Questions to one model on one server at a time."""
    first_token_seconds: Finite = Field(gt=0)
    total_seconds: Finite = Field(gt=0)
    max_tokens: int = Field(ge=16, le=8192)
    breaker_failures: int = Field(ge=1)
    breaker_seconds: Finite = Field(gt=0)


class DeepSeekSettings(Record):
    """DeepSeek by its API. The key comes from DEEPSEEK_API_KEY; without it the tier is not there."""

    url: Url
    model: str = Field(min_length=1)
    usd_per_call: Positive
    """Most that one call may cost; reserved before it."""
    max_tokens: int = Field(ge=16, le=8192)
    total_seconds: Finite = Field(gt=0)


class RedisSettings(Record):
    """A Redis server for the queue, where several machines share the work."""

    url: str | None = Field(default=None, repr=False)

    @field_validator("url")
    @classmethod
    def _names_a_server(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must be redis://USER:PASSWORD@HOST:PORT/DB, rediss:// or unix://")
        return url
