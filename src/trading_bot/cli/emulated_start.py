"""`--start` of emulators: one form for all of them."""

from datetime import UTC, datetime, tzinfo

import click


def start_of(text: str | None, zone: tzinfo) -> datetime | None:
    """A day or a time, by `zone`'s clock unless it names another one. click.UsageError says how to write it."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"--start {text}: write it as 2024-03-05, 2024-03-05T09:30 or 2024-03-05T09:30Z") from error
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
