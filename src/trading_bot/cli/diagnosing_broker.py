"""The broker's part of `doctor`: a look at the account, read-only, and whether it is the one that the mode means."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trading_bot.cli.context import Context
from trading_bot.cli.findings import Finding

if TYPE_CHECKING:
    from trading_bot.domain.mandate import Mode


def broker(context: Context) -> Finding:
    """Connect with the keys of the environment, and say which account that is. Sends nothing and changes nothing."""
    from contextlib import closing
    from threading import Event

    from trading_bot.bootstrap.brokers import build_broker
    from trading_bot.bootstrap.guardian import mode_of
    from trading_bot.bootstrap.sources import CALENDARS, build_source
    from trading_bot.execution.clock import RealClock
    from trading_bot.market.calendar import open_calendar

    config = context.config()
    if config.broker.name == "paper":
        return Finding("broker", passed=True, seen=f"the paper venue of this home, account {config.broker.account}")
    setting = context.setting(mode_of(config), simulated=False)
    calendars, clock = {name: open_calendar(name) for name in CALENDARS}, RealClock(Event())
    source = build_source(config, calendars, clock.now, context.home)
    with closing(build_broker(config, setting, source, calendars, clock)) as venue:
        account = venue.account()
        facts = {"account": account.account_id, "equity": f"{account.equity} {account.currency}", "buying power": str(account.buying_power)}
        describe: Callable[[], dict[str, str]] | None = getattr(venue, "describe", None)
        facts |= describe() if describe is not None else {}
    return Finding("broker", passed=True, seen=f"{venue.name}, {setting.mode}" + "".join(f"\n      {k}: {v}" for k, v in facts.items()))


def mode(context: Context) -> Finding:
    """Whether the venue's environment, the mandate and the home's desk mean the same money."""
    from trading_bot.bootstrap.guardian import mode_of

    config, found = context.config(), dict[str, str]()
    found["broker"] = mode_of(config)
    if context.home.has_journal:
        with context.journal() as journal:
            found["home"] = journal.fact("mode") or mode_of(config)
    named = mandated(context)
    found |= {} if named is None else {"mandate": named}
    same = len(set(found.values())) == 1
    seen = ", ".join(f"{who} {what}" for who, what in found.items())
    fix = (
        ""
        if same
        else "let the broker's environment, the mandate and the home mean the same: change the setting, sign anew, or name another home"
    )
    return Finding("mode", same, seen, fix)


def mandated(context: Context) -> "Mode | None":
    """The mode that the mandate names, None if it names none; what else is wrong with it is not looked at here."""
    from contextlib import suppress

    from trading_bot.domain.errors import MandateError
    from trading_bot.risk.mandate import from_text

    with suppress(OSError, UnicodeDecodeError, MandateError):
        return from_text(context.home.mandate.read_text("utf-8")).mode
    return None


CHECKS: tuple[Callable[[Context], Finding], ...] = (broker, mode)
