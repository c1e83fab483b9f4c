"""What of all that a model reads and says has to be masked: one table by field name, and the walk through a JSON value with it.

Promises that a field which the table does not know is never shown, and that the way back leaves alone what it cannot read: whoever
checks an answer finds fault with it then. Refuses a price without the symbol that it belongs to.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.values import Symbol, canonical_json
from trading_bot.llm.mask import STRANGER, Mask


class Kind(Enum):
    """What a field holds."""

    PLAIN = auto()
    """Numbers and words that say nothing of who, when, and at what level: scores, percentages, money, names of rules."""
    SYMBOL = auto()
    LABEL = auto()
    """A symbol or a sector."""
    PRICE = auto()
    """On the tick."""
    MEASURE = auto()
    """In units of the price, on no tick."""
    SHARES = auto()
    DATE = auto()
    """A date or a time as ISO text."""
    NAMED = auto()
    """Words whose numbers are none of a price."""
    LEVELS = auto()
    """Words of our own rules about prices."""
    OTHERS = auto()
    """Words that somebody else wrote."""


_NAMES: Mapping[Kind, str] = {
    Kind.PLAIN: """above_sma_50_percent adx_14 age_seconds analyst anomaly article articles atr_percent autonomy backed backed_confidence
        buying_power_usd calendar calm came_of_it cash_usd columns confidence currency days_held decisions_total deviation deviations
        drawdown_percent effect end_equity_usd entering_usd equity_percent equity_usd evidence exit expectancy_usd exposure feed feeds
        fees_usd field fraction funding_rate_percent funding_usd gate grade gross_percent gross_usd horizon in_universe income_usd
        journal_age_seconds judgement largest_loss_usd leverage limits liquidation_distance_percent liquidity losses market_regime marks
        max_drawdown_percent mean mean_percent minutes_to_change needed net_usd next_offset nonce novelty open open_risk_percent
        open_risk_usd others outcome positions positions_left profit_factor profit_percent profit_usd proposal protected quarantined
        realized_usd recommendation regime relative_volume reserve_usd reserved_by_orders_usd return_percent reward_multiple risk_in_atr
        risk_percent risk_to_stop_usd risk_usd role rose_percent rsi_14 rule rules score screened sentiment sessions sharpe side
        signals_held signals_missed silent sma_50_slope_percent sortino source spread_percent start_equity_usd state step
        stop_distance_percent stories story style technical tier timeframe today_usd tone total total_return_percent trade trades
        trades_total trend unknown unrealized_usd usable_usd value_usd volatility volatility_percent volatility_rank volume win_percent wins
        lookback offset top detail period_days hours days action conviction id who""",
    Kind.SYMBOL: "symbol unprotected",
    Kind.LABEL: "name",
    Kind.PRICE: """ask average_price bb_lower bb_upper bid entry entry_price exit_price first_stop liquidation_price mark_price mid noise
        price resistance risk_per_share sma_20 sma_50 stop stop_loss support targets""",
    Kind.MEASURE: "atr_14 macd_histogram",
    Kind.SHARES: "ask_size bid_size quantity quantity_when_allowed",
    Kind.DATE: """as_of at bar closed_at closes_at expires_at first known_at last next_funding_at next_opens_at next_session
        oldest_mark opened_at session time""",
    Kind.NAMED: "basis observations reasons recommendations",
    Kind.LEVELS: "stop_basis why",
    Kind.OTHERS: "abstain actual limit note reason said status summary thesis untrusted_text",
}
KINDS: Mapping[str, Kind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
"""Every field of every tool's question and result, of every answer, and of a running trade."""
_COLUMNS = {"start": Kind.DATE, "volume": Kind.SHARES, **dict.fromkeys(("open", "high", "low", "close"), Kind.PRICE)}
_COUNTS = "eliminated"
"""Counts by reason: the reasons are words."""
_LIMITS = "limits"
"""The mandate's, by their own names; all are shares, counts and seconds."""
_NUMBERS = frozenset({Kind.PRICE, Kind.MEASURE, Kind.SHARES})
_SAID = frozenset({Kind.NAMED, Kind.LEVELS, Kind.OTHERS})

Leaf = Callable[[Any, Kind, Symbol | None], Any]


def shown(mask: Mask, value: object, about: Symbol | None = None) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value as a blind model sees it. `about`: the symbol in question where none is named. ToolFailedError if it cannot be shown."""

    def leaf(found: Any, kind: Kind, symbol: Symbol | None) -> Any:  # noqa: ANN401 - any JSON value
        return _shown(mask, found, kind, symbol)

    return _walk(value, leaf, about, Symbol, strict=True)


def real(mask: Mask, value: object, about: Symbol | None = None) -> Any:  # noqa: ANN401 - any JSON value
    """What a blind model means by a JSON value. What cannot be read stays as it is."""

    def leaf(found: Any, kind: Kind, symbol: Symbol | None) -> Any:  # noqa: ANN401 - any JSON value
        try:
            return _real(mask, found, kind, symbol)
        except ToolFailedError:
            return found

    def named(alias: str) -> Symbol | None:
        try:
            return mask.symbol(alias)
        except ToolFailedError:
            return None

    return _walk(value, leaf, about, named, strict=False)


def real_leaf(mask: Mask, value: object, field: str, about: Symbol | None) -> Any:  # noqa: ANN401 - any JSON value
    """What a blind model means by one value that it says stands under `field`; itself if that cannot be known."""
    try:
        return _real(mask, value, KINDS.get(field, Kind.PLAIN), about)
    except ToolFailedError:
        return value


def shown_text(mask: Mask, text: str, about: Symbol | None = None) -> str:
    """Canonical JSON text, masked."""
    return canonical_json(shown(mask, json.loads(text), about))


def facts(node: object, field: str, about: Symbol | None, named: Callable[[str], Symbol | None]) -> Iterator[tuple[Any, Symbol | None]]:
    """Every value under `field` with the symbol that it belongs to. `named`: whose name a `symbol` is."""
    if isinstance(node, list):
        for part in node:
            yield from facts(part, field, about, named)
    elif isinstance(node, dict):
        about = _about(node, about, named)
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from facts(value, field, about, named)
            elif key == field:
                yield value, about


def _walk(value: Any, leaf: Leaf, about: Symbol | None, named: Callable[[str], Symbol | None], *, strict: bool, name: str = "") -> Any:  # noqa: ANN401, PLR0913 - any JSON value, and what each step needs
    """The same JSON with its leaves changed; `name`: of the field that holds it. Booleans and nulls stay."""
    if isinstance(value, dict):
        return _walk_fields(value, leaf, about, named, strict=strict, name=name)
    if isinstance(value, list):
        return [_walk(part, leaf, about, named, strict=strict, name=name) for part in value]
    if value is None or isinstance(value, bool):
        return value
    kind = KINDS.get(name)
    if kind is None and strict:
        raise ToolFailedError(f"the field {name or '(none)'} cannot be shown to a blind model: nobody has said what it holds")
    return leaf(value, kind or Kind.PLAIN, about)


def _walk_fields(  # noqa: PLR0913 - what each step needs
    node: dict[str, Any], leaf: Leaf, about: Symbol | None, named: Callable[[str], Symbol | None], *, strict: bool, name: str
) -> dict[str, Any]:
    if name == _COUNTS:
        return {leaf(key, Kind.NAMED, about): count for key, count in node.items()}
    if name == _LIMITS:
        return node
    about = _about(node, about, named)
    told = {key: _walk(value, leaf, about, named, strict=strict, name=key) for key, value in node.items() if key != "rows"}
    if "rows" in node:
        told["rows"] = _rows(node["rows"], node.get("columns"), leaf, about, strict=strict)
    return told


def _rows(rows: Any, columns: Any, leaf: Leaf, about: Symbol | None, *, strict: bool) -> Any:  # noqa: ANN401 - a table
    try:
        kinds = [_COLUMNS[column] for column in columns]
        return [[None if cell is None else leaf(cell, kind, about) for kind, cell in zip(kinds, row, strict=True)] for row in rows]
    except (KeyError, TypeError, ValueError):
        if strict:
            raise ToolFailedError("this table cannot be shown to a blind model: nobody has said what its columns hold") from None
        return rows


def _about(node: Mapping[str, Any], about: Symbol | None, named: Callable[[str], Symbol | None]) -> Symbol | None:
    own = node.get("symbol")
    return (named(own) or about) if isinstance(own, str) else about


def _shown(mask: Mask, value: Any, kind: Kind, symbol: Symbol | None) -> Any:  # noqa: ANN401 - any JSON value
    if kind is Kind.PLAIN:
        return value
    if kind in _NUMBERS:
        return _scaled(value, symbol, {Kind.PRICE: mask.price, Kind.MEASURE: mask.measure, Kind.SHARES: mask.quantity}[kind])
    if not isinstance(value, str):
        raise ToolFailedError("a field of this answer does not hold what it should, so it cannot be shown to a blind model")
    if kind is Kind.LEVELS:
        return mask.levelled(value, symbol)
    if kind is Kind.LABEL and value in mask.sectors:
        return mask.sectors[value]
    words = {Kind.SYMBOL: mask.alias, Kind.LABEL: mask.alias, Kind.DATE: mask.dates, Kind.NAMED: mask.named, Kind.OTHERS: mask.blanked}
    return words[kind](value)


def _real(mask: Mask, value: Any, kind: Kind, symbol: Symbol | None) -> Any:  # noqa: ANN401 - any JSON value
    if kind in _NUMBERS:
        scale = {Kind.PRICE: mask.real_price, Kind.MEASURE: mask.real_measure, Kind.SHARES: mask.real_quantity}[kind]
        return _scaled(value, symbol, scale)
    if not isinstance(value, str):
        return value
    if kind in {Kind.SYMBOL, Kind.LABEL}:
        return _named(mask, value)
    return mask.real_named(value) if kind in _SAID | {Kind.DATE} else value


def _named(mask: Mask, value: str) -> str:
    sector = next((name for name, alias in mask.sectors.items() if alias == value), None)
    try:
        return sector or mask.symbol(value)
    except ToolFailedError:
        return STRANGER


def _scaled(value: Any, symbol: Symbol | None, scale: Callable[[Decimal, Symbol], Decimal]) -> Any:  # noqa: ANN401 - a number, or its text
    """A number in the form in which it came."""
    if symbol is None:
        raise ToolFailedError("a price without its symbol cannot be shown to a blind model: ask about one symbol")
    try:
        exact = scale(Decimal(str(value)), symbol)
    except (InvalidOperation, KeyError):
        raise ToolFailedError("this number cannot be shown to a blind model") from None
    if isinstance(value, str):
        return f"{exact:f}"
    return int(exact) if exact == exact.to_integral_value() else float(exact)
