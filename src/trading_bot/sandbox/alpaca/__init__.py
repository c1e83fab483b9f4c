"""Alpaca, emulated: its trading and market-data API and its streams, on loopback."""
