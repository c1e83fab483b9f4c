"""Emulated sources of news on loopback."""
