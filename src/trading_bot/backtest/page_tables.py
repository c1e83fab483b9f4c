"""The tables of a report page, as HTML that is readable aloud too: captions, row and column headings.

Promises that every text from outside is escaped, and that a figure that is not defined says so. Refuses to reckon what `statistics`,
`relative` or `validation` do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from html import escape

import numpy as np

from trading_bot.backtest.figures import FORMS, UNKNOWN, Write, number, percent
from trading_bot.backtest.plan import Result
from trading_bot.backtest.relative import relative
from trading_bot.backtest.validation import Validation

TRADES = 100
"""Rows of the table of trades."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEEPEST = 0.1
"""A month of this size has the full colour."""
_RELATIVE = (
    ("excess_return", "Total return above buy and hold", percent),
    ("alpha", "Alpha a year", percent),
    ("beta", "Beta", number),
    ("correlation", "Correlation", number),
    ("tracking_error", "Tracking error a year", percent),
    ("information_ratio", "Information ratio", number),
    ("tail_ratio", "Tail ratio", number),
)


def statistics(result: Result, validation: Validation | None) -> str:
    """Every figure, buy and hold beside it, and where it lies if sessions like these came again."""
    held, intervals = result.held, {} if validation is None else validation.intervals
    rows = []
    for form in FORMS:
        own = form.told(form.of(result.performance))
        beside = "" if held is None or form.of_trades else form.told(form.of(held))
        lies = intervals.get(form.field)
        between = "" if lies is None else f"{form.write(lies.low)} to {form.write(lies.high)}"
        rows.append((form.name, own, beside, between))
    level = next((f"{i.level:.0%}" for i in intervals.values()), "95%")
    heads = ("", "this run", "buy and hold", f"{level} interval")
    first = _table("Shares are of equity; ratios take a risk-free rate of 0.", heads, rows, numbers={1, 2, 3})
    stands = relative(result.curve, result.benchmark, result.periods_per_year)
    lines = [(name, _told(getattr(stands, field), write)) for field, name, write in _RELATIVE]
    return f"{first}<h3>Beside buy and hold</h3>{_table('Of daily returns.', ('', 'value'), lines, numbers={1})}"


def months(result: Result) -> str:
    """Return of each month and year, coloured by size."""
    worth = np.concatenate(([float(result.start)], np.asarray(result.equity)))
    by_month = _periods(result.sessions, worth, lambda day: (day.year, day.month))
    by_year = _periods(result.sessions, worth, lambda day: (day.year, 0))
    heads = "".join(f'<th scope="col" class="number">{name}</th>' for name in (*_MONTHS, "Year"))
    lines = []
    for year in sorted({day.year for day in result.sessions}):
        cells = [_shade(by_month.get((year, month))) for month in range(1, 13)]
        lines.append(f'<tr><th scope="row">{year}</th>{"".join(cells)}{_shade(by_year[year, 0])}</tr>')
    caption = "<caption>Change of equity from the last close of the month before, in per cent.</caption>"
    head = f'<thead><tr><th scope="col">Year</th>{heads}</tr></thead>'
    return f'<div class="wide"><table class="months">{caption}{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _periods(
    sessions: Sequence[date], worth: Sequence[float] | np.ndarray, key: Callable[[date], tuple[int, int]]
) -> dict[tuple[int, int], float | None]:
    """Return of each period; None where equity before it was 0 or less. `worth`: the start, then each session's close."""
    last = {key(day): n + 1 for n, day in enumerate(sessions)}
    found: dict[tuple[int, int], float | None] = {}
    before = 0
    for period, at in last.items():
        found[period] = float(worth[at] / worth[before] - 1) if worth[before] > 0 else None
        before = at
    return found


def _shade(change: float | None) -> str:
    if change is None:
        return "<td></td>"
    deep = round(min(1.0, abs(change) / _DEEPEST) * 45)
    color = "#16a34a" if change >= 0 else "#dc2626"
    return f'<td class="number" style="background:color-mix(in srgb,{color} {deep}%,transparent)">{change * 100:.1f}</td>'


def verdict(validation: Validation | None) -> str:
    """What was checked, what it wanted and saw, and the risk score with its parts."""
    if validation is None:
        return "<p>Nobody has validated this run: <code>backtest validate</code> does.</p>"
    word, color = ("Passed", "good") if validation.passed else ("Not passed", "bad")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in validation.reasons)
    trials = f"Judged as the best of {validation.trials:,} trials" if validation.trials > 1 else "Judged as the only trial that was run"
    checks = [
        (c.name, c.wanted, "not known" if c.actual is None else f"{c.actual:,.4g}", "yes" if c.passed else "NO", c.reason)
        for c in validation.checks
    ]
    risks = [(r.name, "not known" if r.actual is None else f"{r.actual:,.4g}", f"{r.points:.1f}", f"{r.of:.0f}") for r in validation.risks]
    return (
        f'<p class="verdict {color}">{word}</p><p>{trials}.</p><ul>{reasons}</ul>'
        + _table("Every check has to hold.", ("check", "wanted", "actual", "holds", "in words"), checks, numbers={2})
        + f"<h3>Risk score {validation.risk_score:.0f} of 100: {validation.risk_class}</h3>"
        + _table("0 is calm, 100 is not acceptable.", ("part", "actual", "points", "of"), risks, numbers={1, 2, 3})
    )


def trades(result: Result) -> str:
    """The newest closed trades."""
    if not result.trades:
        return ""
    rows = [
        (
            t.symbol,
            "long" if t.side.sign > 0 else "short",
            f"{t.quantity:f}",
            f"{t.opened_at:%Y-%m-%d %H:%M}",
            f"{t.entry_price:.2f}",
            f"{t.closed_at:%Y-%m-%d %H:%M}",
            f"{t.exit_price:.2f}",
            str(t.exit_role),
            f"{t.profit:,.2f}",
        )
        for t in reversed(result.trades[-TRADES:])
    ]
    heads = ("symbol", "side", "quantity", "entered (UTC)", "at", "left (UTC)", "at", "by", "profit")
    which = f"The last {len(rows)} of {len(result.trades):,} closed trades" if len(rows) < len(result.trades) else "All closed trades"
    table = _table(f"{which}, the newest first; profit after fees.", heads, rows, numbers={2, 4, 6, 8})
    return f"<details><summary>{which}</summary>{table}</details>"


def card(result: Result) -> str:
    """What the result was made from."""
    if result.card is None:
        return "<p>This result has no run card: nobody can tell what it was made from, or make it again.</p>"
    made = result.card
    rows = [
        ("command", made.command),
        ("seed", str(made.plan.seed)),
        ("code", made.code),
        ("configuration", made.config),
        ("prompts", made.prompts or "none: no model was asked"),
        ("models", ", ".join(made.models) or "none"),
        *((f"data {name}", digest) for name, digest in made.data.items()),
        *((f"version of {name}", text) for name, text in made.versions.items()),
        ("plan", json_text(made.plan.model_dump(mode="json"))),
    ]
    lines = "".join(f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(text)}</code></td></tr>' for name, text in rows)
    caption = "<caption>The same card gives the same result. Digests are SHA-256.</caption>"
    return f'<div class="wide"><table>{caption}<tbody>{lines}</tbody></table></div>'


def json_text(value: Mapping[str, object]) -> str:
    """A record's fields in a line."""
    return ", ".join(f"{name}={each}" for name, each in value.items())


def _told(value: float | None, write: Write) -> str:
    return UNKNOWN if value is None else write(value)


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    """A table whose first column names its rows."""
    kind = [' class="number"' if n in numbers else "" for n in range(len(heads))]
    head = "".join(f'<th scope="col"{kind[n]}>{escape(text)}</th>' for n, text in enumerate(heads))
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td{kind[n]}>{escape(text)}</td>" for n, text in enumerate(rest, 1))
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="wide">{table}</div>'
