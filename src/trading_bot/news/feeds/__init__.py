"""Feeds of articles: RSS and Atom, NewsAPI, Alpha Vantage, Alpaca, and what other packages bring."""

from trading_bot.news.feeds.building import agent, resolved, sources

__all__ = ["agent", "resolved", "sources"]
