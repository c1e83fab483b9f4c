"""The feeds that a configuration names, ready to be fetched.

Promises that what cannot work is told before anything is fetched: an unknown preset or kind, a missing address or key, a name given twice
(ConfigError). Refuses keys in the configuration; they come from the environment that it is handed.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.values import Record, Symbol
from trading_bot.network.keys import keys_from
from trading_bot.news.feeds import alpha_vantage, newsapi
from trading_bot.news.feeds.alpha_vantage import AlphaVantage
from trading_bot.news.feeds.newsapi import NewsApi
from trading_bot.news.feeds.rss import RssFeed
from trading_bot.news.fetch import Fetcher
from trading_bot.plugins import NEWS, third_party
from trading_bot.ports.news import NewsSource
from trading_bot.settings_news import FeedSettings, NewsSettings
from trading_bot.yaml_text import read

_PRESETS = Path(__file__).with_name("presets.yaml")
Environment = Mapping[str, str]
Factory = Callable[[FeedSettings, Sequence[Symbol], Environment, Fetcher], NewsSource]
"""How a kind is made, those of other packages too."""


class _Extra(Record):
    """What a preset says of its host, beside its settings."""

    keys: dict[str, str] = Field(default_factory=dict)
    advice: str = ""


def sources(settings: NewsSettings, universe: Sequence[Symbol], environment: Environment, fetcher: Fetcher) -> tuple[NewsSource, ...]:
    """A source for each feed, in the order of `resolved`."""
    return tuple(_factory(feed)(feed, universe, environment, fetcher) for feed in resolved(settings))


def agent(environment: Environment) -> str:
    """Who asks, for `Fetcher`; with an address to write to in NEWS_CONTACT, which some hosts demand."""
    contact = environment.get("NEWS_CONTACT", "").strip()
    return f"trading-bot/0.1 ({contact})" if contact.isascii() and contact.isprintable() and contact else "trading-bot/0.1"


def resolved(settings: NewsSettings) -> tuple[FeedSettings, ...]:
    """The settings of each feed, presets filled in."""
    presets = _presets()
    feeds = tuple(_resolved(feed, presets) for feed in settings.feeds)
    names = [feed.name for feed in feeds]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"news.feeds: {', '.join(twice)} is given twice; each feed needs a name of its own")
    return feeds


def _presets() -> Mapping[str, Mapping[str, Any]]:
    presets, _ = read(_PRESETS.read_text("utf-8"), str(_PRESETS))
    return cast("Mapping[str, Mapping[str, Any]]", presets)


def _resolved(feed: FeedSettings | str, presets: Mapping[str, Mapping[str, Any]]) -> FeedSettings:
    own: dict[str, Any] = {"name": feed} if isinstance(feed, str) else feed.model_dump(exclude_unset=True)
    preset = {} if "kind" in own else presets.get(own["name"], {})
    if not preset and isinstance(feed, str):
        raise ConfigError(
            f"news.feeds: no preset is called {feed!r}; they are {', '.join(sorted(presets))}, or write {{name: {feed}, url: ...}}"
        )
    return FeedSettings.model_validate({name: value for name, value in preset.items() if name not in _Extra.model_fields} | own)


def _factory(feed: FeedSettings) -> Factory:
    return _FACTORIES[feed.kind] if feed.kind in _FACTORIES else third_party(NEWS, feed.kind)


def _rss(feed: FeedSettings, _: Sequence[Symbol], environment: Environment, fetcher: Fetcher) -> NewsSource:
    if feed.url is None:
        raise ConfigError(f"news.feeds: {feed.name}: url is missing; write {{name: {feed.name}, url: https://host/feed.xml}}")
    extra = _extra(feed.url)
    keys = {name: environment[variable].strip() for name, variable in extra.keys.items() if environment.get(variable, "").strip()}
    joint = "&" if urlsplit(feed.url).query else "?"
    return RssFeed(feed, feed.url + (joint + urlencode(keys) if keys else ""), fetcher, extra.advice)


def _extra(url: str) -> _Extra:
    """What is known of the host of `url`."""
    host = urlsplit(url).hostname
    known = (preset for preset in _presets().values() if urlsplit(preset.get("url", "")).hostname == host)
    return _Extra.model_validate({name: value for name, value in next(known, {}).items() if name in _Extra.model_fields})


def _newsapi(feed: FeedSettings, universe: Sequence[Symbol], environment: Environment, fetcher: Fetcher) -> NewsSource:
    return NewsApi(feed, _key(feed, environment, newsapi.KEY), universe, fetcher)


def _alpha_vantage(feed: FeedSettings, _: Sequence[Symbol], environment: Environment, fetcher: Fetcher) -> NewsSource:
    return AlphaVantage(feed, _key(feed, environment, alpha_vantage.KEY), fetcher)


def _alpaca(feed: FeedSettings, universe: Sequence[Symbol], environment: Environment, fetcher: Fetcher) -> NewsSource:
    from trading_bot.sources.alpaca_news import AlpacaNews  # noqa: PLC0415 - half a second of imports

    return AlpacaNews(feed, keys_from(environment, "ALPACA_API_KEY", "ALPACA_SECRET_KEY"), universe, fetcher.now)


_FACTORIES: Mapping[str, Factory] = {"alpaca": _alpaca, "alpha_vantage": _alpha_vantage, "newsapi": _newsapi, "rss": _rss}


def _key(feed: FeedSettings, environment: Environment, variable: str) -> str:
    key = environment.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"news.feeds: {feed.name} needs a key: export {variable} in the environment of this process, never in config.yaml"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"news.feeds: {feed.name}: {variable} holds characters that no key has; export it anew")
    return key
