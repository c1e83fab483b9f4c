"""The scoreboard's tables for people. Nothing is computed here but sums."""

from collections.abc import Sequence

from trading_bot.analysts.scoreboard import Scoreboard
from trading_bot.cli.tables import new_table, show


def score_table(board: Scoreboard) -> None:
    """What each analyst's plans came to."""
    columns = ("analyst", "plans", "entered", "ended", "R", "USD", "cost", "net USD")
    table = new_table(*columns, numbers=frozenset(columns[1:]))
    for score in board.scores:
        counts = (str(score.plans), str(score.entered), str(score.ended))
        table.add_row(score.analyst, *counts, f"{score.r:+.2f}", f"{score.usd:+.2f}", f"{score.cost_usd:.4f}", f"{score.net_usd:+.2f}")
    note = f"Every plan with {board.stake_usd:f} USD at risk, by one rule (docs/claude.md), as of {board.as_of:%Y-%m-%d %H:%M} UTC."
    show("Plans of each analyst", table, note)


def net_table(boards: Sequence[tuple[str, Scoreboard]]) -> None:
    """What each analyst's plans came to on each desk, net of cost, and on all of them."""
    columns = ("desk", "analyst", "plans", "R", "net USD")
    table = new_table(*columns, numbers=frozenset(columns[2:]))
    for desk, board in boards:
        for score in board.scores:
            table.add_row(desk, score.analyst, str(score.plans), f"{score.r:+.2f}", f"{score.net_usd:+.2f}")
    for analyst in sorted({score.analyst for _, board in boards for score in board.scores}):
        ours = [score for _, board in boards for score in board.scores if score.analyst == analyst]
        plans, r, net = sum(s.plans for s in ours), sum(s.r for s in ours), sum(s.net_usd for s in ours)
        table.add_row("all", analyst, str(plans), f"{r:+.2f}", f"{net:+.2f}")
    show("Each analyst on all desks", table)


def calibration_table(board: Scoreboard) -> None:
    """How well stated confidences came true."""
    columns = ("analyst", "persona", "model", "plans", "Brier", "stated", "came true")
    table = new_table(*columns, numbers=frozenset(columns[3:]))
    for one in board.calibrations:
        stated = sum(b.stated * b.count for b in one.bins) / one.count
        true = sum(b.came_true * b.count for b in one.bins) / one.count
        table.add_row(one.analyst, one.persona, one.model or "-", str(one.count), f"{one.brier:.3f}", f"{stated:.0%}", f"{true:.0%}")
    show("Confidence and what came true", table, "Brier: 0 is perfect, 0.25 is what always saying 50 % earns.")
