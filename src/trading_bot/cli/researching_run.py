"""`backtest run` and `backtest strategies`, and the options that all of `backtest` shares."""

import shlex
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context, json_option, say

if TYPE_CHECKING:
    from trading_bot.bootstrap.studies import Study
    from trading_bot.config import Config

_DAY = click.DateTime(["%Y-%m-%d"])
_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")


_RUN = ["backtest", "run"]


class Exact(click.ParamType[Decimal]):
    """A decimal number, kept as it was typed."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:  # noqa: ANN401 - click's signature
        """Return the number; a usage error for anything else."""
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)


_OPTIONS = (
    click.option("--data", multiple=True, type=click.Path(path_type=Path), help="File or folder of bars; may be given again."),
    click.option("--source", help="Market data: files, store, synthetic, or an installed one."),
    click.option("--symbols", help="Comma-separated, e.g. AAPL,SPY."),
    click.option("--start", type=_DAY, help="First day; left out: where the data begin. Earlier bars warm indicators up."),
    click.option("--end", type=_DAY, help="Last day; left out: where the data end."),
    click.option("--period", help="Instead of --start: 90d, 8w, 6m or 1y up to the last day."),
    click.option("--timeframe", type=click.Choice(_TIMEFRAMES), help="Of the bars that signals are made from; default: the coarsest."),
    click.option("--set", "assigned", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy; may be given again."),
    click.option("--cash", type=Exact(), help="Starting cash."),
    click.option("--share", type=Exact(), help="Share of equity that one position may take; default: 1 / number of symbols."),
    click.option("--risk", type=Exact(), help="Share of equity that may be lost at an entry's stop; default: no such limit."),
    click.option("--reserve", type=Exact(), default="0.01", show_default=True, help="Share of buying power that stays unused."),
    click.option("--slippage-bps", type=Exact(), help="Slippage of a fill, in hundredths of a per cent."),
    click.option("--spread-bps", type=Exact(), help="Spread of the quotes that bars publish."),
    click.option("--participation", type=Exact(), help="Share of a bar's volume that one order may take."),
    click.option("--fees", type=click.Choice(["us_equity", "none"]), help="Schedule of fees."),
    click.option("--sentiment", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="CSV of time, symbol, score (-1 to 1)."),
    click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random."),
)
_SETTINGS = {
    "source": "source.name",
    "cash": "broker.cash",
    "slippage_bps": "broker.slippage_bps",
    "participation": "broker.participation",
    "fees": "broker.fees",
    "spread_bps": "source.spread_bps",
    "seed": "seed",
}


def plan_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators
    """The options that say what to run on."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def study_of(context: Context, strategy: str, **flags: Any) -> "Study":  # noqa: ANN401 - values of flags
    """What `plan_options` ask for, with its data. Raises DeskError."""
    from trading_bot.bootstrap.studies import Wish, study
    from trading_bot.domain.market import Timeframe

    config = _config(context, flags)
    wish = Wish(
        strategy=strategy,
        values=assigned_values(flags.get("assigned") or ()),
        first=_day(flags.get("start")),
        last=_day(flags.get("end")),
        period=flags.get("period"),
        timeframe=Timeframe(flags["timeframe"]) if flags.get("timeframe") else None,
        share=flags.get("share"),
        risk=flags.get("risk"),
        sentiment=flags.get("sentiment"),
        seed=config.seed,
        **{name: flags[name] for name in ("reserve", "limits") if flags.get(name) is not None},
    )
    return study(config, context.home, wish)


def _config(context: Context, flags: dict[str, Any]) -> "Config":
    settings = {_SETTINGS[k]: str(v) if isinstance(v, Decimal) else v for k, v in flags.items() if k in _SETTINGS and v is not None}
    if flags.get("data"):
        settings["source.files"] = [{"path": str(path)} for path in flags["data"]]
        settings.setdefault("source.name", "files")
    if flags.get("symbols"):
        settings["universe.symbols"] = [s.strip().upper() for s in flags["symbols"].split(",") if s.strip()]
    return context.config(settings)


def assigned_values(given: tuple[str, ...]) -> dict[str, float]:
    """What `--set` says."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.UsageError(f"--set {text!r} cannot be read: write NAME=NUMBER, e.g. --set fast=20")
    return found


def _day(moment: datetime | None) -> Any:  # noqa: ANN401 - a date, or None
    return None if moment is None else moment.date()


def command_line() -> str:
    """What was typed, for the run card."""
    context = click.get_current_context().find_object(Context)
    return shlex.join(["python", "-m", "trading_bot", *(context.typed if context is not None else ())])


@click.command()
@click.argument("strategy")
@plan_options
@click.option("--limits", type=click.Choice(["research", "desk"]), default="research", show_default=True, help="Who limits entries.")
@json_option
@click.pass_obj
def run(context: Context, /, strategy: str, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - the shared options
    """Run STRATEGY (a shipped name, a path to a .py file, or an installed one) bar by bar, and keep the result.

    With `--limits desk` entries meet all limits of the configuration, as the desk would trade; with `research` only --share, --risk and
    --reserve. The strategy is tried for look-ahead first.
    """
    from trading_bot.backtest.shelf import Shelf
    from trading_bot.cli.guarding import stoppable
    from trading_bot.cli.progress import bar
    from trading_bot.cli.research_tables import result_table
    from trading_bot.execution.clock import SystemWallClock

    if flags.get("limits") == "desk" and (flags.get("share") or flags.get("risk")):
        raise click.UsageError("--share and --risk are limits of --limits research: the desk's own stand in the configuration")
    asked = study_of(context, strategy, **flags)
    with stoppable() as stop, bar() as shown:
        task = shown.add_task(f"{strategy} {asked.plan.first} to {asked.plan.last}", total=None)
        made = asked.run(stop, lambda done, total: shown.update(task, completed=done, total=total))
    result = asked.carded(made.result, command_line())
    context.home.prepare()
    kept = Shelf(context.home.backtests).save(result, SystemWallClock().now(), bars=asked.bars())
    if as_json:
        say({"run": kept, **result.model_dump(mode="json")}, as_json=True, text="")
    else:
        result_table(result, kept)


@click.command()
@click.argument("name", metavar="RUN")
@click.pass_context
def repeat(click_context: click.Context, name: str) -> None:
    """Run RUN again, by the command on its run card, in this folder: the result has to be the same.

    CardMismatchError names what has changed of data, code, configuration or versions since.
    """
    from trading_bot.backtest.card import expect_card
    from trading_bot.backtest.shelf import Shelf

    context: Context = click_context.find_object(Context) or Context(Path("var"), None)
    kept = Shelf(context.home.backtests).load(name)
    card = kept.card
    typed = shlex.split(card.command) if card is not None else []
    if card is None or _RUN not in [typed[n : n + 2] for n in range(len(typed))]:
        raise click.ClickException(f"{name} was not made by `backtest run`: give its command again: {card.command if card else 'unknown'}")
    arguments = typed[next(n for n in range(len(typed)) if typed[n : n + 2] == _RUN) + 2 :]
    asked = study_of(context, **_understood(click_context, arguments))
    expect_card(card, asked.market, asked.inputs())
    again = asked.run().result.with_card(card)
    if again != kept:
        raise click.ClickException(f"{name}: the same card gave another result; this is a defect of the program, please tell us")
    click.echo(f"{name}: the same result, to the last digit")


def _understood(click_context: click.Context, arguments: list[str]) -> dict[str, Any]:
    """What `backtest run` makes of these arguments."""
    with run.make_context("run", arguments, parent=click_context) as parsed:
        return {key: value for key, value in parsed.params.items() if key != "as_json"}


@click.command()
@json_option
def strategies(*, as_json: bool) -> None:
    """List the shipped strategies with their parameters."""
    from dataclasses import asdict

    from trading_bot.backtest.loading import shipped

    known = shipped()
    lines = []
    for one in known:
        lines.append(f"{one.name}: {one.does}")
        lines += [f"    {p.name} = {p.default:g}   {p.least:g} to {p.most:g}   {p.does}" for p in one.parameters]
    plain = [{"name": s.name, "does": s.does, "parameters": [asdict(p) for p in s.parameters]} for s in known]
    say(plain, as_json=as_json, text="\n".join(lines))
