"""One typed configuration: `defaults.yaml` < `config.yaml` < environment < flags.

Promises that a key, a value or a limit which cannot be used is named with the file and the line (or the variable, or the
flag) that set it. Refuses unknown keys: a typo is an error, not a silent default. `${NAME}` in a value is the environment's.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from trading_bot import yaml_text
from trading_bot.domain.errors import ConfigError, HomeError
from trading_bot.domain.values import Digest, Record, Symbol, canonical_json, derive_digest
from trading_bot.settings import (
    AlpacaSettings,
    BrokerSettings,
    BudgetSettings,
    BybitSettings,
    ClaudeSettings,
    GuardianSettings,
    NotifySettings,
    ResearchSettings,
    RiskSettings,
    SimulationSettings,
    SourceSettings,
    StorageSettings,
    TaskSettings,
    TraderSettings,
    UniverseSettings,
)
from trading_bot.settings_news import DeepSeekSettings, NewsSettings, OllamaSettings, RedisSettings

ENV_PREFIX = "TRADING_BOT__"
_NAMED = ("broker", "source")
"""Sections of which a bare word is the name: `broker: alpaca`."""
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Config(Record):
    """All settings."""

    desk: Literal["stocks", "coins"]
    """What kind of desk it is: which hours, which table of tasks, which defaults."""
    seed: int = Field(ge=0)
    analyst: Literal["rules", "claude", "replay", "auto"]
    """`auto`: Claude while budget and health last, else the rules. `replay`: recorded answers only."""
    cassettes: Path | None
    """Where `replay` finds recorded calls; none: in the home."""
    budget: BudgetSettings
    claude: ClaudeSettings
    approval_minutes: int = Field(ge=1, le=1440)
    """A proposal that waits for a person is denied after so long (trading time)."""
    simulation: SimulationSettings
    universe: UniverseSettings
    source: SourceSettings
    broker: BrokerSettings
    alpaca: AlpacaSettings
    bybit: BybitSettings
    risk: RiskSettings
    notify: NotifySettings
    guardian: GuardianSettings
    trader: TraderSettings
    schedule: dict[str, TaskSettings]
    news: NewsSettings
    ollama: OllamaSettings
    deepseek: DeepSeekSettings
    redis: RedisSettings = RedisSettings()
    """Its password stays in this process."""
    research: ResearchSettings = ResearchSettings()
    storage: StorageSettings = StorageSettings()
    """Its password stays in this process: what is dumped, journaled or printed has none."""

    def risk_digest(self) -> Digest:
        """Digest of the sections that a mandate is bound to: risk, universe, broker and the connections to brokers."""
        return RiskBound.model_validate(self.model_dump(include=set(RiskBound.model_fields))).fingerprint()

    def trading_digest(self) -> Digest:
        """Digest of all that decides trades but the analyst: decisions say who answered, and a replay of one run is the same run."""
        answering = {"analyst", "cassettes", "budget", "claude", "notify", "guardian", "storage", "research", "ollama", "deepseek", "redis"}
        return derive_digest(canonical_json(self.model_dump(mode="json", exclude=answering)))

    def sector_of(self, symbol: Symbol) -> str:
        """The sector that the universe puts `symbol` in, or `unknown`."""
        return next((name for name, members in self.universe.sectors.items() if symbol in members), "unknown")


class RiskBound(Record):
    """The sections that a mandate is bound to."""

    risk: RiskSettings
    broker: BrokerSettings
    alpaca: AlpacaSettings
    bybit: BybitSettings
    universe: UniverseSettings


_Path = yaml_text.KeyPath
_Origins = dict[_Path, str]
"""Who set a value, in words for messages."""


def load(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration of all layers.

    `path`: config.yaml, or None for none. `environment`: variables named `TRADING_BOT__SECTION__KEY`, and those that `${NAME}`
    refers to. `flags`: dotted keys (`source.name`) to values. Raises ConfigError.
    """
    variables = environment or {}
    tree, origins = deepcopy(_defaults())
    own: _Origins = {}
    written = {} if path is None else _read(_text(path), str(path), own)
    _demand_one_kind(written, own, flags or {})
    if _kind(written, variables, flags or {}) == "coins":
        preset, theirs = deepcopy(_coins())
        _merge(tree, preset)
        origins |= theirs
    _merge(tree, written)
    origins |= own
    for key, value in _from_environment(variables):
        _set(tree, origins, key, value, f"environment variable {ENV_PREFIX}{'__'.join(key).upper()}")
    for dotted, value in (flags or {}).items():
        _set(tree, origins, tuple(dotted.split(".")), value, f"flag for {dotted}")
    return _validate(_expand(tree, variables, (), origins), origins)


@cache
def _defaults() -> tuple[dict[str, Any], _Origins]:
    """The shipped settings, read once in a process."""
    origins: _Origins = {}
    return _read(resources.files("trading_bot").joinpath("defaults.yaml").read_text("utf-8"), "defaults.yaml", origins), origins


@cache
def _coins() -> tuple[dict[str, Any], _Origins]:
    """What a desk of coins has otherwise."""
    origins: _Origins = {}
    return _read(resources.files("trading_bot").joinpath("coins.yaml").read_text("utf-8"), "coins.yaml", origins), origins


def _kind(written: Mapping[str, Any], variables: Mapping[str, str], flags: Mapping[str, Any]) -> object:
    """The kind of desk, whose defaults have to be known before anything else is read; checked with the rest."""
    return flags.get("desk") or variables.get(f"{ENV_PREFIX}DESK") or written.get("desk")


def _demand_one_kind(written: Mapping[str, Any], origins: _Origins, flags: Mapping[str, Any]) -> None:
    """Settings of one kind of desk are not taken for another's, whose limits they were not written for."""
    said, asked = written.get("desk"), flags.get("desk")
    if None not in {said, asked} and said != asked:
        raise ConfigError(
            f"{origins['desk',]}: desk is {said}, and a desk of {asked} was asked for: name that desk's own settings with --config"
        )


def recall(remembered: str | None) -> Config:
    """Return the configuration that a desk last came up with, from the JSON that its journal remembers.

    HomeError if it never came up, or with settings that this version does not understand.
    """
    if remembered is None:
        raise HomeError("this home's desk has not come up yet; start it with `orchestrator`, or look again in a moment")
    try:
        return Config.model_validate_json(remembered)
    except ValidationError as error:
        raise HomeError("this desk last ran with settings that this version does not know; start it once with this version") from error


def _validate(tree: object, origins: _Origins) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for found in error.errors():
            subject, what = _subject(found["type"], tuple(map(str, found["loc"])), found["msg"], origins)
            problems.setdefault(subject, []).append(what)
        raise ConfigError("\n".join(f"{subject} {_joined(whats)}" for subject, whats in problems.items())) from None


def _subject(kind: str, loc: _Path, message: str, origins: _Origins) -> tuple[str, str]:
    """Whom an error is about, with its place, and what is wrong with it."""
    match kind:
        case "extra_forbidden":
            return _place(loc, loc, origins), "is not a known setting (a typo?)"
        case "missing":
            return _place(loc, loc, origins), "is missing"
        case _:
            known = _known(loc, origins)
            return _place(known or loc, known, origins), _in_words(message)


def _known(loc: _Path, origins: _Origins) -> _Path:
    """The part of `loc` that somebody wrote; pydantic adds names of alternatives after it."""
    return next((loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in origins), ())


def _place(name: _Path, loc: _Path, origins: _Origins) -> str:
    known = _known(loc, origins)
    return f"{origins[known] if known else 'the configuration'}: {'.'.join(name)}"


def _in_words(message: str) -> str:
    """Pydantic's message, as one says it to a person who edits a file."""
    text = message.removeprefix("Value error, ").replace("Input should be", "must be").replace("String should", "must")
    text = text.replace("Decimal input should be an integer, float, string or Decimal object", "must be a number")
    text = text.replace("Tuple should have at least 1 item after validation, not 0", "must have at least one item")
    text = text.replace("a valid tuple", "a list, such as [AAPL, SPY]")
    text = re.sub(r"a valid dictionary or instance of \w+", "a section of `key: value` lines", text)
    return text[:1].lower() + text[1:]


def _joined(whats: list[str]) -> str:
    """One sentence; `none` is the alternative of a limit, not a mistake of its own."""
    *others, last = dict.fromkeys(whats)
    if others and last == "must be 'none'":
        return f"{'; '.join(others)}, or the word `none` for no limit"
    return "; ".join([*others, last])


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the configuration cannot be read: {error}"
        raise ConfigError(msg) from error


def _read(text: str, name: str, origins: _Origins) -> dict[str, Any]:
    tree, lines = yaml_text.read(text, name)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        msg = f"{name}: must hold settings as `key: value`"
        raise ConfigError(msg)
    origins.update({key: f"{name}, line {line}" for key, line in lines.items()})
    return tree


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if key in _NAMED and isinstance(value, str):
            base[key]["name"] = value
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _set(tree: dict[str, Any], origins: _Origins, key: _Path, value: object, origin: str) -> None:
    """Put one value into the tree, and remember who did."""
    if key[-1] in _NAMED and len(key) == 1 and isinstance(value, str):
        key = (*key, "name")
    origins[key] = origin
    for length, part in enumerate(key[:-1], start=1):
        origins.setdefault(key[:length], origin)
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            msg = f"{origin}: {'.'.join(key[:length])} is no section, so it has no {'.'.join(key[length:])}"
            raise ConfigError(msg)
        tree = inner
    tree[key[-1]] = value


def _from_environment(variables: Mapping[str, str]) -> Iterator[tuple[_Path, object]]:
    for name in sorted(variables):
        if name.startswith(ENV_PREFIX):
            value, _ = yaml_text.read(variables[name], f"environment variable {name}")
            yield tuple(name.removeprefix(ENV_PREFIX).lower().split("__")), value


def _expand(value: Any, variables: Mapping[str, str], at: _Path, origins: _Origins) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {k: _expand(v, variables, (*at, k), origins) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_expand(v, variables, (*at, str(n)), origins) for n, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in variables:
            msg = f"{_place(at, at, origins)} needs the environment variable {match[1]}, which is not set"
            raise ConfigError(msg)
        return variables[match[1]]

    return _REFERENCE.sub(replace, value)
