"""A trading desk: analysts propose, a deterministic engine bound by a signed mandate decides and trades."""

__version__ = "0.1.0"
