"""Runs over recorded time: statistics, buy and hold, reports."""
