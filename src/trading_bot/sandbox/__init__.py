"""Emulated vendors with scripted faults, for users and tests."""
