"""What strangers send, as words that can be kept.

Promises text without halves of characters (they can be neither stored nor sent), and JSON of the form that was asked for or a
SourceFailedError. Cleans nothing else: what an article says is judged where articles are read.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from trading_bot.domain.errors import SourceFailedError

MOST = 1000
"""Articles that are taken from one answer."""


def words(value: object) -> str:
    """Text, and none where it is something else."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def link(value: object) -> str:
    """An http address, and none where it is something else."""
    url = words(value).strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc else ""


def loaded(body: bytes, vendor: str) -> Mapping[str, Any]:
    """A JSON object."""
    try:
        made = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceFailedError(f"{vendor} answered in words that are not JSON; it is asked again in the next round") from error
    if not isinstance(made, dict):
        raise SourceFailedError(f"{vendor} answered with no object; look at its address in news.feeds")
    return made


def objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The objects of a list, and nothing else that it may hold."""
    return [item for item in value if isinstance(item, dict)][:MOST] if isinstance(value, list) else []
