"""Alpaca behind the broker port: equities and crypto, through its own SDK."""
