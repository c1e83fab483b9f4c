"""Tables of sweeps and walk-forward for people, and cells as files. Nothing is computed here."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.backtest.plan import Cell
from trading_bot.backtest.walk_forward import WalkForward
from trading_bot.bootstrap.searching import Swept

_OUT = Console(highlight=False, markup=False)
_COLUMNS = {
    "total_return": ("return", "{:+.1%}"),
    "sharpe": ("Sharpe", "{:.2f}"),
    "max_drawdown": ("fall", "{:.1%}"),
    "trades": ("trades", "{}"),
    "win_rate": ("won", "{:.0%}"),
    "profit_factor": ("factor", "{:.2f}"),
}
"""Figures of a cell: their heads and how they are written."""


def swept_table(found: Swept, top: int, kept: str | None, first: str) -> None:
    """The best cells, and what they are worth with hindsight."""
    looked = found.hindsight
    if first:
        _OUT.print(first, soft_wrap=True)
    if found.order:
        _OUT.print(_cells([found.cells[n] for n in found.order[:top]], [found.cells[0], found.cells[-1]]))
    else:
        _OUT.print("no combination has a score: all traded too seldom, or their figure is not defined (see --least-trades)", soft_wrap=True)
    _OUT.print(f"{looked.tried:,} combinations, {looked.profitable:.0%} of them earned something; {len(found.order):,} have a score")
    for name, value, form, meaning in (
        ("plateau", looked.plateau, "{:.2f}", "median score of the best one's neighbours by its own; near 1 is stable"),
        (
            "overfitting",
            looked.pbo,
            "{:.0%}",
            "probability that the best of one half of the time is no better than the median in the other",
        ),
        (
            "deflated Sharpe",
            looked.deflated_sharpe,
            "{:.0%}",
            "probability that the best is better than the luckiest of so many without skill",
        ),
    ):
        _OUT.print(f"{name:<16} {_written(value, form):>5}  {meaning}", soft_wrap=True)
    for note in (*looked.notes, *(found.result.notes if found.result is not None else ())):
        _OUT.print(note, soft_wrap=True)
    if kept is not None:
        _OUT.print(f"run {kept}: `backtest validate {kept}` says how far to trust it, `backtest report {kept} --open` draws it")


def windows_table(found: WalkForward) -> None:
    """What was chosen in each window, and how it did after it."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("traded from", "chosen", "in-sample", "out", "trades", "efficiency"):
        table.add_column(name, justify="left" if name in {"traded from", "chosen"} else "right", no_wrap=name != "chosen")
    varied = _varied([w.values for w in found.windows if w.values is not None])
    for w in found.windows:
        chosen = "nothing" if w.values is None else " ".join(f"{name}={w.values[name]:g}" for name in varied)
        returns = (_written(w.inside, "{:+.1%}"), _written(w.outside, "{:+.1%}"))
        table.add_row(f"{w.test_first}", chosen, *returns, str(w.trades), _written(w.efficiency, "{:.2f}"))
    _OUT.print(table)
    _OUT.print(f"efficiency {_written(found.efficiency, '{:.2f}')}: annual return out of sample by that in it", soft_wrap=True)


def write_cells(path: Path, cells: Sequence[Cell]) -> None:
    """All cells as CSV or JSON, by the file's ending; what is not defined is empty, or null."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".json":
                file.write("[\n")
                for n, cell in enumerate(cells):
                    file.write(("" if n == 0 else ",\n") + json.dumps(cell.model_dump(mode="json"), sort_keys=True))
                file.write("\n]\n")
                return
            writer = csv.writer(file)
            names = list(cells[0].values)
            writer.writerow([*names, *_COLUMNS, "final_equity"])
            for cell in cells:
                told = cell.model_dump(mode="json")
                writer.writerow([*(f"{cell.values[name]:g}" for name in names), *(told[name] for name in (*_COLUMNS, "final_equity"))])
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written ({error.strerror}); the cells are not there, the rest is kept") from error


def _cells(cells: Sequence[Cell], ends: Sequence[Cell]) -> Table:
    """`ends`: the first and the last cell of all, which differ in whatever a grid varies."""
    table = Table(box=SIMPLE_HEAD)
    varied = _varied([cell.values for cell in (*cells, *ends)])
    for name in (*varied, *(name for name, _ in _COLUMNS.values())):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in cells:
        figures = [_written(getattr(cell, key), form) for key, (_, form) in _COLUMNS.items()]
        table.add_row(*(f"{cell.values[name]:g}" for name in varied), *figures)
    return table


def _varied(values: Sequence[Mapping[str, float]]) -> list[str]:
    """Parameters that are not the same in all; all of them where none varies."""
    names = list(values[0]) if values else []
    return [name for name in names if len({one[name] for one in values}) > 1] or names


def _written(value: float | None, form: str) -> str:
    return "none" if value is None else form.format(value)
