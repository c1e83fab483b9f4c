"""How a desk comes by its journal: the home's file, or a server's database that is this home's and no other's.

Promises that one process at a time owns a server's database, from whatever machine. Refuses a database that another home claimed, and
to leave a journal behind in the home's file.
"""

from contextlib import ExitStack

from trading_bot.domain.errors import HomeMismatchError
from trading_bot.ports import WallClock
from trading_bot.storage.claim import Claim
from trading_bot.storage.database import named
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

_HOME = "home"


def own_journal(home: Home, wall: WallClock | None = None, desk: str | None = None) -> SqlJournal:
    """Open the journal of `home` as its owner; `wall` and `desk` as in `SqlJournal.open`. StorageError, HomeError."""
    address = home.database
    if isinstance(address, str):
        return _claimed(home, address, wall, desk)
    if home.storage is not None:
        raise HomeMismatchError(
            f"this home's journal is in {address}, and storage.url names {named(home.storage)}: "
            "unset that, or use another home (TRADING_BOT_HOME)"
        )
    return SqlJournal.open(address, wall, desk)


def _claimed(home: Home, url: str, wall: WallClock | None, desk: str | None) -> SqlJournal:
    with ExitStack() as undo:
        journal = SqlJournal.look(url, wall, desk)
        undo.callback(journal.close)
        journal.own()
        known, claim = journal.fact(_HOME), Claim.read(home.claim_file)
        if known is not None and (claim is None or claim.home != known):
            raise HomeMismatchError(
                f"{named(url)} belongs to the desk {journal.fact('desk')} of the home {known}; each desk has a database of its own, or a "
                f"schema (?options=-csearch_path%3DNAME). If that home was moved here, bring its {home.claim_file.name} along"
            )
        if claim is None:
            claim = Claim.fresh(url, home.path)
            claim.write(home.claim_file)
        journal.bind({_HOME: claim.home, "desk": journal.desk})
        undo.pop_all()
    return journal
