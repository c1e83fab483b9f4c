"""Until when models may know the past: `cutoffs.yaml`, data with a source for each.

Promises the end of the training data, which is the later of the dates that a vendor tells. Refuses to guess: a model that is not on the
list has no cut-off, and none of its days can be called unseen.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import resources

from pydantic import Field

from trading_bot import yaml_text
from trading_bot.domain.values import Record
from trading_bot.llm.prices import is_model

_FILE = "cutoffs.yaml"


class CutOff(Record):
    """The last day of a model's training data, and where that stands."""

    model: str
    last: date
    source: str


class CutOffs(Record):
    """All of them, and when they were read."""

    date: date
    cutoffs: tuple[CutOff, ...] = Field(min_length=1)


@cache
def cut_offs() -> CutOffs:
    """Return the list as the package carries it."""
    text = (resources.files(__package__ or "trading_bot.llm") / _FILE).read_text("utf-8")
    return CutOffs.model_validate(yaml_text.read(text, _FILE)[0])


def cut_off(model: str) -> CutOff | None:
    """The cut-off of `model` in any vendor's spelling, None if it is not known."""
    return next((known for known in cut_offs().cutoffs if is_model(known.model, model)), None)


def latest(models: Iterable[str]) -> CutOff | None:
    """The latest cut-off of several models; None if one of them is not known, or there are none."""
    found = [cut_off(model) for model in models]
    known = [one for one in found if one is not None]
    return max(known, key=lambda one: one.last) if known and len(known) == len(found) else None
