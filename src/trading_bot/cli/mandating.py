"""`mandate show | sign | verify`: what the operator allows."""

import json
from collections.abc import Callable

import click

from trading_bot.cli.context import Context, json_option
from trading_bot.cli.guarding import demand_fit
from trading_bot.cli.starting import VENUES, rhythm_settings, venue_option


def _terms(function: Callable[..., None]) -> Callable[..., None]:
    """Options of a mandate: the mode, and what the settings may be told otherwise when the desk is started."""
    for option in (
        click.option("--symbols", help="Comma-separated universe, if the desk is started with --symbols."),
        venue_option,
        click.option("--mode", type=click.Choice(["paper", "live"]), default="paper", show_default=True),
    ):
        function = option(function)
    return function


@click.group()
def mandate() -> None:
    """The operator's mandate: what the desk may do, signed and expiring."""


@mandate.command()
@json_option
@click.pass_obj
def show(context: Context, *, as_json: bool) -> None:
    """Print the mandate, signed or not."""
    from trading_bot.domain.errors import MandateMissingError
    from trading_bot.risk.mandate import from_text

    path = context.home.mandate
    if not path.exists():
        msg = f"{path} does not exist; `mandate sign` makes one from the configuration"
        raise MandateMissingError(msg)
    text = path.read_text("utf-8", errors="replace")
    click.echo(json.dumps(from_text(text, str(path)).model_dump(mode="json"), indent=2) if as_json else text.rstrip())
    click.echo("`mandate verify` says whether it is signed and holds.", err=True)


@mandate.command()
@_terms
@click.pass_obj
def sign(context: Context, mode: str, venue: str | None, symbols: str | None) -> None:
    """Make a mandate from the configuration, show it, and sign it with the operator's key.

    A simulated desk needs none, and its home cannot be traded on the real clock: there nothing is signed.
    """
    from trading_bot.cli.terminal import ask_passphrase, ask_words, demand_terminal
    from trading_bot.cli.times import told
    from trading_bot.domain.mandate import Mode
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk import mandate as mandates
    from trading_bot.risk.operator import PRIVATE_KEY, create_operator_key
    from trading_bot.risk.operator import sign as signature_of

    demand_terminal("a mandate's signature")
    config = context.config(VENUES[venue] | rhythm_settings(symbols=symbols))
    demand_fit(config, context.setting(Mode(mode), simulated=False))
    context.home.prepare()
    proposed = mandates.propose(config, config.broker.account, Mode(mode), SystemWallClock().now())
    text = mandates.to_text(proposed)
    click.echo(text)
    if not (context.operator / PRIVATE_KEY).exists():
        click.echo(f"There is no operator key yet. One is made in {context.operator}; keep its passphrase: nobody can restore it.")
        chosen = ask_passphrase("New passphrase (8 characters or more)")
        if ask_passphrase("The same again") != chosen:
            raise click.ClickException("the two differ; nothing was made")
        create_operator_key(context.operator, chosen)
    else:
        chosen = ask_passphrase("Operator's passphrase")
    ask_words("Type SIGN to sign the mandate above: ", "SIGN")
    signature = signature_of(text.encode(), context.operator, chosen)
    context.home.mandate_signature.unlink(missing_ok=True)
    context.home.mandate.write_text(text, "utf-8")
    context.home.mandate_signature.write_bytes(signature)
    until = told(proposed.expires_at, context.kind.zone)
    click.echo(context.kind.told(f"Signed: {context.home.mandate}, until {until}. `orchestrator` starts the desk."))


@mandate.command()
@_terms
@json_option
@click.pass_context
def verify(click_context: click.Context, mode: str, venue: str | None, symbols: str | None, *, as_json: bool) -> None:
    """Say what of the mandate holds and what does not; exit status 1 if anything does not."""
    from trading_bot.domain.mandate import Mode
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.risk.mandate import Binding, examine
    from trading_bot.risk.operator import pinned_key

    context: Context = click_context.obj
    config, home = context.config(VENUES[venue] | rhythm_settings(symbols=symbols)), context.home
    binding = Binding(config.broker.account, Mode(mode), config.risk_digest())
    checks = examine(home.mandate, home.mandate_signature, pinned_key(context.operator), binding, SystemWallClock().now())
    if as_json:
        click.echo(json.dumps([{"what": c.what, "holds": c.error is None, "problem": str(c.error or "")} for c in checks], indent=2))
    else:
        click.echo("\n".join(str(c) for c in checks))
    if any(c.error is not None for c in checks):
        click_context.exit(1)
