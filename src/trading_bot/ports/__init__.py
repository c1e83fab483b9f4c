"""The ports: what rooms promise each other. An adapter is right if it keeps every sentence of its port.

A backtest, a simulated day, a paper and a live desk differ in the parts plugged in here, and in nothing else.
"""

from trading_bot.ports.analysts import Analyst, Answer, Approver, Brief, ToolAccess, ToolGrant, ToolHost
from trading_bot.ports.journal import InboxItem, Journal
from trading_bot.ports.market import BarArchive, BarSeries, Calendar, Clock, Contracted, Funded, MarketSource, Streaming, View, WallClock
from trading_bot.ports.news import Delivery, LocalModels, ModelHealth, NewsQueue, NewsSource, NewsView, Passage, QueueState, SentimentModel
from trading_bot.ports.trading import Broker, Margined, Notifier

__all__ = [
    "Analyst",
    "Answer",
    "Approver",
    "BarArchive",
    "BarSeries",
    "Brief",
    "Broker",
    "Calendar",
    "Clock",
    "Contracted",
    "Delivery",
    "Funded",
    "InboxItem",
    "Journal",
    "LocalModels",
    "Margined",
    "MarketSource",
    "ModelHealth",
    "NewsQueue",
    "NewsSource",
    "NewsView",
    "Notifier",
    "Passage",
    "QueueState",
    "SentimentModel",
    "Streaming",
    "ToolAccess",
    "ToolGrant",
    "ToolHost",
    "View",
    "WallClock",
]
