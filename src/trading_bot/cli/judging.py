"""`judge-prompt`: a changed prompt on the tool results of recorded days, at the price of its own calls."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.bootstrap.judging import Judged
    from trading_bot.domain.proposals import Decision

_WORKFLOWS = ("screen", "analyze", "optimize", "review")


@click.command(name="judge-prompt")
@click.argument("workflow", type=click.Choice(_WORKFLOWS))
@click.option("--prompts", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder laid out like .claude.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First recorded day.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last recorded day.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many decisions, the newest.")
@json_option
@click.pass_obj
def judge_prompt(  # noqa: PLR0913 - flags
    context: Context, *, workflow: str, folder: Path | None, first: datetime | None, last: datetime | None, limit: int, as_json: bool
) -> None:
    """Ask recorded questions of WORKFLOW anew, with changed prompts and the recorded tool results, and compare the answers."""
    from trading_bot.bootstrap import judging

    wanted = _recorded(context, workflow, first, last)[-limit:]
    if not wanted:
        raise click.ClickException(
            f"no recorded {workflow} by Claude in this period; `decisions --workflow {workflow}` lists what there is"
        )
    made = []
    for one in judging.judge_prompt(context.home, context.operator, context.config(), wanted, folder):
        made.append(one)
        if not as_json:
            _tell(one)
    if as_json:
        click.echo(json.dumps([{**one.model_dump(mode="json"), "same": one.same} for one in made], indent=2))
        return
    answered = [one for one in made if one.output]
    cost = sum((one.cost_usd for one in made), Decimal(0))
    click.echo(f"{len(answered)} of {len(made)} answered anew: {sum(one.same for one in answered)} the same, {cost:.6f} USD")


def _recorded(context: Context, workflow: str, first: datetime | None, last: datetime | None) -> "list[Decision]":
    from trading_bot.domain.proposals import Decision
    from trading_bot.llm.cassette import Shelf

    shelf = Shelf(context.home.cassettes)
    with context.journal() as journal:
        made = [d for d in journal.all(Decision) if d.workflow == workflow and shelf.of(d.id)]
    begin, end = (None if day is None else day.date() for day in (first, last))
    return [d for d in made if (begin is None or d.at.date() >= begin) and (end is None or d.at.date() <= end)]


def _tell(one: "Judged") -> None:
    made = one.decision
    said = "the same" if one.same else "different" if one.output else "no answer"
    ended = f"{one.outcome}, {one.note}" if one.note else one.outcome
    click.echo(f"{made.id[:8]} {made.at:%Y-%m-%d} {made.workflow} {made.subject}: {said} ({ended}; {one.cost_usd:.6f} USD)")
    if one.output and not one.same:
        for field, was, now in _changes(made.output, one.output):
            click.echo(f"  {field}: {was} -> {now}")


def _changes(before: str, after: str) -> list[tuple[str, object, object]]:
    """Fields that differ, with both values cut short."""
    was, now = (json.loads(text) if text else {} for text in (before, after))
    fields = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return [(name, str(was.get(name))[:100], str(now.get(name))[:100]) for name in fields]
