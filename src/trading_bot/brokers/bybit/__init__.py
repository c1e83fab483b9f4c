"""Bybit v5 through its own SDK: USDT perpetuals with a stop on the position, and spot."""

from trading_bot.brokers.bybit.broker import BybitBroker

__all__ = ["BybitBroker"]
