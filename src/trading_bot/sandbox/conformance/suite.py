"""The numbered promises of the broker port, and the run of them all on one bench.

Promises that each promise is tried by a desk of its own which leaves the account as it found it, and that what one promise breaks does
not hide the next. Whoever stops it (KeyboardInterrupt out of the bench's waiting) gets the account back flat, and a report of what was
tried. Refuses an account that holds the instrument already, or has orders in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trading_bot.domain.errors import ConfigError, DeskError
from trading_bot.sandbox.conformance import books, exits, faults, orders, refusals, truth
from trading_bot.sandbox.conformance.bench import Bench
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.report import BrokenError, NotHereError, Report, Result, Standing


@dataclass(frozen=True)
class Promise:
    """One sentence of the port, and how it is tried."""

    number: str
    attempt: Callable[[Hand], None]

    @property
    def sentence(self) -> str:
        """What is promised."""
        return (self.attempt.__doc__ or "").strip().splitlines()[0]


_ATTEMPTS: tuple[tuple[int, Sequence[Callable[[Hand], None]]], ...] = (
    (
        1,
        (
            orders.account_is_ours,
            orders.submit_once,
            orders.submit_once_after_the_end,
            orders.find_what_was_sent,
            orders.find_nothing,
            orders.find_what_ended,
            orders.cancel_ends,
            orders.cancel_unknown,
            orders.cancel_filled,
            orders.replace_moves,
            orders.replace_once,
            orders.replace_nothing,
            orders.two_rest_apart,
        ),
    ),
    (
        21,
        (
            books.first_event_is_the_account,
            books.events_without_gaps,
            books.events_resume,
            books.fills_add_up,
            books.executions_once,
            books.books_are_the_venue,
            books.restart_repeats_nothing,
            books.restart_finds_what_came_meanwhile,
            books.restart_in_the_middle,
            books.restart_knows_a_fill_while_it_was_away,
            books.answers_in_order,
            books.foresight_is_true,
        ),
    ),
    (
        41,
        (
            exits.stop_lives_with_the_position,
            exits.target_lives_beside_the_stop,
            exits.stop_closes,
            exits.target_closes,
            exits.exit_never_turns_round,
            exits.exit_of_nothing,
            exits.partial_exit,
            exits.stop_alone,
            exits.partial_fill,
            exits.short_and_back,
            exits.trailing_stop_follows,
        ),
    ),
    (
        61,
        (
            refusals.off_tick,
            refusals.off_lot,
            refusals.too_small,
            refusals.too_large,
            refusals.unknown_symbol,
            refusals.not_shortable,
            refusals.wrong_keys,
            refusals.keys_stay_secret,
        ),
    ),
    (
        71,
        (
            faults.lost_answer,
            faults.server_error,
            faults.lost_request,
            faults.lost_cancel,
            faults.lost_replace,
            faults.rate_limited,
            faults.unreachable,
            faults.lost_answer_over_a_restart,
            faults.duplicated_stream,
            faults.shuffled_stream,
            faults.mute_stream,
        ),
    ),
    (91, (truth.legs_wake, truth.stop_beside_entry, truth.exits_reserve, truth.stop_type, truth.one_leg_pair)),
)
"""By subject; each subject has room for more before the next one's first number."""

PROMISES: tuple[Promise, ...] = tuple(Promise(f"P{first + n:02d}", a) for first, group in _ATTEMPTS for n, a in enumerate(group))


def check(bench: Bench, promises: Sequence[Promise] = PROMISES, run: str = "c1", tell: Callable[[Result], None] = lambda _: None) -> Report:
    """Try all promises. `run`: begins the ids of this run, another one for each run on the same account. ConfigError if it is not empty."""
    _empty(bench, run)
    results: list[Result] = []
    for promise in promises:
        try:
            result = _tried(bench, promise, run)
        except KeyboardInterrupt as stop:
            return Report(bench.name, tuple(results), f"stopped at {promise.number}; {str(stop) or 'nothing was sent'}")
        tell(result)
        results.append(result)
    return Report(bench.name, tuple(results))


def _tried(bench: Bench, promise: Promise, run: str) -> Result:
    try:
        hand = Hand(bench, f"{run}{promise.number.lower()}")
    except DeskError as error:
        return Result(promise.number, promise.sentence, Standing.BROKEN, f"the adapter cannot be opened: {error}")
    try:
        standing, why = _outcome(lambda: promise.attempt(hand))
        left, mess = _outcome(hand.leave)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_left_in_a_hurry(hand)) from None
    finally:
        hand.broker.close()
    if left is Standing.BROKEN and standing is not Standing.BROKEN:
        standing, why = left, f"afterwards: {mess}"
    return Result(promise.number, promise.sentence, standing, why)


def _left_in_a_hurry(hand: Hand) -> str:
    try:
        standing, why = _outcome(lambda: hand.leave(hurried=True))
    except KeyboardInterrupt:
        standing, why = Standing.BROKEN, "stopped again while orders were canceled and positions closed"
    return "left flat" if standing is Standing.HELD else f"NOT LEFT FLAT: {why}"


def _outcome(attempt: Callable[[], None]) -> tuple[Standing, str]:
    try:
        attempt()
    except NotHereError as reason:
        return Standing.NOT_HERE, str(reason)
    except BrokenError as broken:
        return Standing.BROKEN, str(broken)
    except DeskError as error:
        return Standing.BROKEN, f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001  # edge: an adapter under test may raise anything, and that is a finding
        return Standing.BROKEN, f"it raised {type(error).__name__}, which is no error of the desk: {error}"
    return Standing.HELD, ""


def _empty(bench: Bench, run: str) -> None:
    hand = Hand(bench, f"{run}p00")
    try:
        symbol = bench.instrument.symbol
        resting = [o.client_order_id for o in hand.broker.open_orders() if o.symbol == symbol]
        if hand.held() is not None or resting:
            raise ConfigError(f"{bench.name} holds {hand.size()} {symbol} and has orders {resting}: close them, or name another symbol")
    finally:
        hand.broker.close()
