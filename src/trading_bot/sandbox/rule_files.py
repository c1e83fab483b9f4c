"""Files of fault rules: a YAML list, each item a rule of an emulator.

Promises to say of a wrong rule in which line it stands and what is wrong with it (ConfigError).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.values import Record
from trading_bot.yaml_text import read

R = TypeVar("R", bound=Record)


def rules_of(path: Path, kind: type[R], example: str) -> Sequence[tuple[str, R]]:
    """The rules of a file, each after the place where it stands. `example`: one rule as it is written."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    tree, lines = read(text, str(path))
    if not isinstance(tree, list):
        raise ConfigError(f"{path}: a list of rules is wanted, such as `- {example}`")
    places = [f"{path}, line {lines.get((str(n),), 1)}" for n in range(len(tree))]
    return [(place, rule_of(item, kind, place)) for place, item in zip(places, tree, strict=True)]


def rule_of(item: object, kind: type[R], where: str) -> R:
    """One rule."""
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        told = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        raise ConfigError(f"{where}: {'; '.join(f'{name}: {text}' if name else text for name, text in told)}") from error
