"""YAML as its author typed it, and the line in which each key stands.

Promises that a number with a point, a date and a ticker such as `ON` stay the text that was typed, so that no digit is lost and no
word turns into something else; only whole numbers, `true`, `false` and `null` are more than text. Refuses a key that is given
twice, and anchors that contain themselves, each with its line.
"""

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from trading_bot.domain.errors import ConfigError

KeyPath = tuple[str, ...]


def read(text: str, name: str) -> tuple[Any, dict[KeyPath, int]]:
    """Return the values of `text` and the line of each key and item. ConfigError names `name` and the line."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = dict(_lines(node, ()))
        tree = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark is not None else ""
        msg = f"{name}{where}: not valid YAML: {error.problem or error.context}"
        raise ConfigError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{name}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    except RecursionError:
        msg = f"{name}: an anchor contains itself, or the nesting is too deep"
        raise ConfigError(msg) from None
    return tree, lines


class _Loader(yaml.SafeLoader):
    """Knows few kinds of scalars, and no repeated keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the name and form that PyYAML looks for

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])


def _lines(node: yaml.Node | None, at: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            here = (*at, str(number))
            yield here, value.start_mark.line + 1
            yield from _lines(value, here)
