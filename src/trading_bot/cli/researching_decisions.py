"""`backtest decisions`: the analyst's recorded decisions over their period, as they were and behind a mask."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context, json_option, say

if TYPE_CHECKING:
    import threading

    from trading_bot.backtest.leak import LeakScore
    from trading_bot.bootstrap.cassettes import Recorded
    from trading_bot.bootstrap.decisions import Asked, Replayed
    from trading_bot.config import Config

_DAY = click.DateTime(["%Y-%m-%d"])
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--from", "folder", type=_FOLDER, help="Cassettes to replay: a recording, or a desk's own.")
@click.option("--blind-from", "blind_folder", type=_FOLDER, help="Masked cassettes of the same period: the leak score compares both.")
@click.option(
    "--record", type=click.Path(path_type=Path, file_okay=False), help="Let Claude decide, and record it in this folder. It costs."
)
@click.option(
    "--blind", is_flag=True, help="Recording: mask names, dates and price levels. Replaying: accept nothing but masked cassettes."
)
@click.option("--mask-seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the mask that --record draws.")
@click.option("--data", multiple=True, type=click.Path(path_type=Path), help="File or folder of bars; may be given again.")
@click.option("--symbols", help="Comma-separated universe, e.g. AAPL,SPY.")
@click.option("--start", type=_DAY, help="First day; default: of the recording.")
@click.option("--end", type=_DAY, help="Last day; default: of the recording.")
@click.option("--cash", help="Starting cash.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@json_option
@click.pass_obj
def decisions(context: Context, /, folder: Path | None, blind_folder: Path | None, record: Path | None, **flags: Any) -> None:  # noqa: ANN401 - options
    """Replay the analyst's recorded decisions through the desk: no model, no network, no money.

    With --record, Claude decides anew over --start to --end and every call is kept; --from replays that folder from then on.
    """
    from trading_bot.cli.guarding import stoppable

    if (record is None) == (folder is None):
        raise click.UsageError("say either --from CASSETTES, to replay, or --record FOLDER, to record")
    with stoppable() as stop:
        if record is not None:
            _record(context, record, flags, stop)
        elif folder is not None:
            _replay(context, folder, blind_folder, flags, stop)


def _record(context: Context, folder: Path, flags: dict[str, Any], stop: "threading.Event") -> None:
    from trading_bot.bootstrap import decisions as research
    from trading_bot.bootstrap.cassettes import Recorded

    if flags["start"] is None or flags["end"] is None:
        raise click.UsageError("--record needs --start and --end: the days that Claude shall decide on")
    asked = _asked(context, context.config(_settings(flags)), (flags["start"].date(), flags["end"].date()))
    asked.home.prepare()
    with _progress() as tell:
        research.record(asked, folder, flags["mask_seed"] if flags["blind"] else None, stop, tell)
    made = Recorded.read(folder)
    text = f"{made.count} calls of {', '.join(made.models)} are in {folder}; `backtest decisions --from {folder}` replays them, free"
    say({"folder": str(folder), "calls": made.count, "models": made.models, "mask": made.mask}, as_json=flags["as_json"], text=text)


def _replay(context: Context, folder: Path, blind_folder: Path | None, flags: dict[str, Any], stop: "threading.Event") -> None:
    from trading_bot.bootstrap.cassettes import Recorded

    first = Recorded.read(folder)
    if flags["blind"] and first.mask is None:
        raise click.UsageError(
            f"{folder} was recorded without a mask, and nobody can mask afterwards what a model saw: record anew with --record DIR --blind"
        )
    second = None if blind_folder is None else Recorded.read(blind_folder)
    if second is not None and (first.mask is not None or second.mask is None):
        raise click.UsageError("--from takes the recording without a mask, and --blind-from the masked one")
    plain = _replayed(context, first, flags, stop)
    blind = None if second is None else _replayed(context, second, flags, stop)
    _tell(context, plain, blind, as_json=flags["as_json"])


def _replayed(context: Context, recorded: "Recorded", flags: dict[str, Any], stop: "threading.Event") -> "Replayed":
    from trading_bot.bootstrap import decisions as research
    from trading_bot.cli.researching_run import command_line

    period = tuple(given.date() if given else known for given, known in zip(_days(flags), (recorded.first, recorded.last), strict=True))
    asked = _asked(context, _config(context, recorded, flags), (period[0], period[1]))
    with _progress() as tell:
        return research.replay(asked, recorded, command_line(), stop, tell)


def _days(flags: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    return flags["start"], flags["end"]


def _config(context: Context, recorded: "Recorded", flags: dict[str, Any]) -> "Config":
    """What the recording kept, with flags on top; else the configuration of here, with what the questions themselves tell."""
    from trading_bot.bootstrap.cassettes import overlaid

    given = _settings(flags)
    if recorded.config is not None:
        return overlaid(recorded.config, given)
    missing = [name for name, key in (("--data", "data"), ("--symbols", "symbols")) if not flags[key]]
    if "--symbols" in missing and recorded.symbols:
        missing.remove("--symbols")
    if missing:
        raise click.UsageError(
            f"{recorded.folder} does not say what it was recorded on (it is no recording of `backtest decisions` and in no desk's home): "
            f"give {' and '.join(missing)}"
        )
    return context.config({**recorded.settings(), **given})


def _asked(context: Context, config: "Config", period: tuple[date, date]) -> "Asked":
    from trading_bot.bootstrap.decisions import Asked

    if period[1] < period[0]:
        raise click.UsageError(f"--end {period[1]} is before --start {period[0]}")
    return Asked(config, context.home, context.operator, *period)


def _settings(flags: dict[str, Any]) -> dict[str, Any]:
    named = {"seed": flags["seed"], "broker.cash": flags["cash"]}
    settings = {name: value for name, value in named.items() if value is not None}
    if flags["data"]:
        settings |= {"source.name": "files", "source.files": [_file(path) for path in flags["data"]]}
    if flags["symbols"]:
        settings["universe.symbols"] = [s.strip().upper() for s in flags["symbols"].split(",") if s.strip()]
    return settings


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "feed": None, "prices": None}


def _progress() -> Any:  # noqa: ANN401 - a context of a listener
    from trading_bot.cli.research_decisions_tables import listening

    return listening()


def _tell(context: Context, plain: "Replayed", blind: "Replayed | None", *, as_json: bool) -> None:
    from trading_bot.backtest.report import write
    from trading_bot.backtest.shelf import Shelf
    from trading_bot.bootstrap.decisions import leak
    from trading_bot.cli.research_decisions_tables import decisions_table
    from trading_bot.execution.clock import SystemWallClock

    score = {} if blind is None else leak(plain, blind)
    plain = plain.noted(score)
    context.home.prepare()
    shelf, now = Shelf(context.home.backtests), SystemWallClock().now()
    runs = [shelf.save(one.result, now) for one in (plain, blind) if one is not None]
    path = context.home.reports / f"decisions_{'_'.join(runs)}.json"
    told = {"decisions": _plain(plain), "blind": None if blind is None else _plain(blind), "leak": _scored(score)}
    write(path, told)
    if as_json:
        say({"runs": runs, "report": str(path), **told}, as_json=True, text="")
    else:
        decisions_table(plain, blind, score, runs, path)


def _plain(run: "Replayed") -> dict[str, Any]:
    """A run as plain JSON, each day with whether the model may know what came of it."""
    from trading_bot.backtest.report import plain

    days = [
        {"session": day, "equity": equity, "may_know": run.knowledge.suspect(day)}
        for day, equity in zip(run.result.sessions, run.result.equity, strict=True)
    ]
    told: dict[str, Any] = plain({**run.report, "notes": run.result.notes, "knowledge": run.knowledge, "days": days})
    return told


def _scored(score: "dict[str, LeakScore]") -> Any:  # noqa: ANN401 - plain JSON
    from trading_bot.backtest.report import plain

    return plain(score) if score else None
