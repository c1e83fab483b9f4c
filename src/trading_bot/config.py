"""One typed configuration: `defaults.yaml` < `config.yaml` < environment < flags.

Promises that a key, a value or a limit which cannot be used is named with the file and the line (or the variable, or the
flag) that set it. Refuses unknown keys: a typo is an error, not a silent default. `${NAME}` in a value is the environment's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.mandate import Autonomy, Discipline, Limits
from trading_bot.domain.market import Feed, Timeframe
from trading_bot.domain.values import Digest, Finite, Fraction, NonNegative, Positive, Record, Symbol

ENV_PREFIX = "TRADING_BOT__"
HOME_VARIABLE = "TRADING_BOT_HOME"
DEFAULT_HOME = "var"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class InstrumentSettings(Record):
    """What a user says of an instrument; what is left out comes from the source or the default."""

    asset_class: AssetClass | None = None
    venue: str | None = None
    currency: str | None = None
    tick_size: Positive | None = None
    lot_size: Positive | None = None
    minimum_notional: NonNegative | None = None
    sector: str | None = None
    calendar: Literal["XNYS", "24/7"] | None = None
    shortable: bool | None = None
    leverage_cap: Positive | None = None


class UniverseSettings(Record):
    """What may be traded."""

    symbols: tuple[Symbol, ...] = Field(min_length=1)
    sectors: dict[str, tuple[Symbol, ...]]
    instruments: dict[Symbol, InstrumentSettings]


class FileSettings(Record):
    """One file or folder of bars."""

    path: Path
    feed: Feed | None = None
    """Default: daily bars are consolidated, intraday ones of one venue."""
    prices: Literal["as_traded", "split_adjusted", "fully_adjusted"] | None = None
    """Default: what the columns show (`docs/data.md`)."""


class SyntheticSettings(Record):
    """The invented market."""

    start: date
    timeframe: Timeframe
    annual_volatility: Finite = Field(gt=0, le=5)


class SourceSettings(Record):
    """Where market data comes from."""

    name: str
    spread_bps: NonNegative
    files: tuple[FileSettings, ...]
    synthetic: SyntheticSettings


class BrokerSettings(Record):
    """The venue; costs and rules of the paper one."""

    name: str
    account: str = Field(min_length=1)
    cash: Positive
    slippage_bps: NonNegative
    participation: Fraction
    fees: Literal["us_equity", "none"]
    borrow_bps_per_year: NonNegative


class RiskSettings(Record):
    """What a mandate is made from."""

    autonomy: Autonomy
    mandate_days: int = Field(ge=1, le=366)
    limits: Limits
    discipline: Discipline


class TaskSettings(Record):
    """One row of the schedule."""

    enabled: bool
    grace_minutes: int = Field(ge=0)


class BudgetSettings(Record):
    """What models may cost."""

    claude_usd_per_day: NonNegative


class SimulationSettings(Record):
    """The simulated clock."""

    first_session: date


class Config(Record):
    """All settings."""

    seed: int = Field(ge=0)
    analyst: Literal["rules"]
    budget: BudgetSettings
    simulation: SimulationSettings
    universe: UniverseSettings
    source: SourceSettings
    broker: BrokerSettings
    risk: RiskSettings
    schedule: dict[str, TaskSettings]

    def risk_digest(self) -> Digest:
        """Digest of the sections that a mandate is bound to: risk, broker, universe."""
        return RiskBound(risk=self.risk, broker=self.broker, universe=self.universe).fingerprint()

    def sector_of(self, symbol: Symbol) -> str:
        """The sector that the universe puts `symbol` in, or `unknown`."""
        return next((name for name, members in self.universe.sectors.items() if symbol in members), "unknown")


class RiskBound(Record):
    """The sections that a mandate is bound to."""

    risk: RiskSettings
    broker: BrokerSettings
    universe: UniverseSettings


@dataclass(frozen=True)
class _Origin:
    """Where a value came from, for messages."""

    text: str


_Path = tuple[str, ...]


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
    origins: dict[_Path, _Origin] = {}
    tree = _read(resources.files("trading_bot").joinpath("defaults.yaml").read_text("utf-8"), "defaults.yaml", origins)
    if path is not None:
        _merge(tree, _read(_text(path), str(path), origins))
    for key, value in _from_environment(variables):
        origins[key] = _Origin(f"environment variable {ENV_PREFIX}{'__'.join(key).upper()}")
        _put(tree, key, value)
    for dotted, value in (flags or {}).items():
        key = tuple(dotted.split("."))
        origins[key] = _Origin(f"flag for {dotted}")
        _put(tree, key, value)
    return _validate(_expand(tree, variables, (), origins), origins)


def _validate(tree: object, origins: Mapping[_Path, _Origin]) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [_describe(tuple(str(p) for p in e["loc"]), e["msg"], origins) for e in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _describe(loc: _Path, message: str, origins: Mapping[_Path, _Origin]) -> str:
    known = next((loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in origins), ())
    where = origins[known].text if known else "the configuration"
    what = {"Extra inputs are not permitted": "is not a known setting (a typo?)", "Field required": "is missing"}
    return f"{where}: {'.'.join(known or loc)} {what.get(message, message[0].lower() + message[1:])}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the configuration cannot be read: {error}"
        raise ConfigError(msg) from error


def _read(text: str, name: str, origins: dict[_Path, _Origin]) -> dict[str, Any]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        msg = f"{name}: not valid YAML: {error}"
        raise ConfigError(msg) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict) or node is None:
        msg = f"{name}: must hold settings as `key: value`"
        raise ConfigError(msg)
    for key, line in _lines(node, ()):
        origins[key] = _Origin(f"{name}, line {line}")
    return {str(key): _plain(value) for key, value in tree.items()}


def _lines(node: yaml.Node, at: _Path) -> Iterator[tuple[_Path, int]]:
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


def _plain(value: Any) -> Any:  # noqa: ANN401 - YAML values
    """Bring YAML floats to text, so that `0.02` stays exact as it was typed."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return repr(value) if isinstance(value, float) else value


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _put(tree: dict[str, Any], key: _Path, value: object) -> None:
    for part in key[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            msg = f"{'.'.join(key)} is not a section"
            raise ConfigError(msg)
        tree = inner
    tree[key[-1]] = value


def _from_environment(variables: Mapping[str, str]) -> Iterator[tuple[_Path, object]]:
    for name in sorted(variables):
        if name.startswith(ENV_PREFIX):
            yield tuple(name.removeprefix(ENV_PREFIX).lower().split("__")), _plain(yaml.safe_load(variables[name]))


def _expand(value: Any, variables: Mapping[str, str], at: _Path, origins: Mapping[_Path, _Origin]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {k: _expand(v, variables, (*at, k), origins) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_expand(v, variables, (*at, str(n)), origins) for n, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise ConfigError(_describe(at, f"needs the environment variable {match[1]}, which is not set", origins))
        return variables[match[1]]

    return _REFERENCE.sub(replace, value)
