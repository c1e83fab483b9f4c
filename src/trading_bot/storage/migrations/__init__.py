"""Alembic's scripts, run by `storage/database.py` when a journal is new or of an older schema."""
