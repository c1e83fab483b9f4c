"""`stop`: ends the desk that runs in this home, as Ctrl-C at its own terminal would."""

import click

from trading_bot.cli.context import Context

_PATIENCE_S = 60.0
"""A desk finishes the step that it is at; a question to a model is broken off."""


@click.command()
@click.option(
    "--wait", "patience_s", type=click.FloatRange(min=1), default=_PATIENCE_S, show_default=True, help="Seconds to wait for its end."
)
@click.pass_obj
def stop(context: Context, patience_s: float) -> None:
    """End the desk that runs in this home, and wait until it is gone. What it holds keeps its stops at the broker."""
    from trading_bot.cli.guarding import desk_in
    from trading_bot.domain.errors import HomeLockedError
    from trading_bot.execution.guardian_owner import stop_owner

    owner = context.home.lock_owner()
    if desk_in(context.home) is None:
        click.echo(
            f"No desk runs in {context.home_path}." if owner is None else f"No desk runs in {context.home_path}, but {owner} has it."
        )
        return
    try:
        stop_owner(context.home, patience_s)
    except HomeLockedError as error:
        raise HomeLockedError(
            f"{error}. Stops rest at the broker. `stop` again ends it at once; `flatten --kill` closes everything"
        ) from error
    click.echo(f"Stopped: {owner}. What it holds keeps its stops at the broker; start it again to go on.")
