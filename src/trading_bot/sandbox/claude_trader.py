"""The scripted trader: opens the coin that trends most clearly, mostly holds it, follows it with the stop, closes it with its trend.

Promises what the other scripts do: a pure function of the request, every number copied from a result of this question with its evidence.
Refuses to open what the desk's own plan finds unsound, and to say anything about a trade whose position no tool showed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trading_bot.sandbox.claude_speaking import answered, asking, claims, why
from trading_bot.sandbox.claude_turn import Turn
from trading_bot.sandbox.claude_wire import Reply

_LOOK, _PLAN, _HOLDS = "calculate_indicators", "calculate_position_risk", "get_position_details"
_WATCHING = "running trade"
"""Words of the command that watches, where they come without its name."""
_SIDES = {1: "buy", 0: "", -1: "sell"}
_STRONG_ADX = 25.0
_LEVELS = ("sma_20", "sma_50", "support", "resistance", "bb_lower", "bb_upper")

Told = Mapping[str, Any]


def trade(turn: Turn) -> Reply:
    """Return the honest next turn of the trader."""
    named, _, options = turn.arguments.partition("\n")[0].partition("--timeframe ")
    wanted = [part.split() for part in named.split(",") if part.strip()]
    coins = tuple(dict.fromkeys(words[0] for words in wanted))
    timeframe = options.split(" ")[0] or "1h"
    watches = turn.command == "watch-trade" or (not turn.command and _WATCHING in turn.question)
    return _watch(turn, next(iter(coins), ""), timeframe) if watches else _open(turn, wanted, coins, timeframe)


def _open(turn: Turn, wanted: Sequence[Sequence[str]], coins: Sequence[str], timeframe: str) -> Reply:
    seen = _told(turn, _LOOK)
    if not seen:
        return asking(turn, {_LOOK: [{"symbol": coin, "timeframe": timeframe} for coin in coins]})
    sides = {coin["symbol"]: _SIDES[_trend(coin)] for coin in seen}
    fit = [coin for coin in seen if [coin["symbol"], sides[coin["symbol"]]] in wanted]
    best = max(fit or seen, key=lambda coin: coin.get("adx_14") or 0.0)
    if not fit:
        return answered(turn, {"action": "stand_aside", "thesis": "No coin trends.", "claims": claims(best, best, "price")})
    side, plans = sides[best["symbol"]], _told(turn, _PLAN)
    if not plans:
        return asking(turn, {_PLAN: [{"symbol": best["symbol"], "side": side}]})
    return answered(turn, _opening(best, side, plans[-1]))


def _opening(best: Told, side: str, plan: Told) -> Told:
    if not plan.get("trade") or not plan.get("targets"):
        reason = "; ".join(plan.get("why") or ()) or "no sound plan"
        return {"action": "stand_aside", "thesis": reason, "claims": claims(best, best, "price")}
    return {
        "action": "open",
        "symbol": plan["symbol"],
        "side": side,
        "entry": plan["entry"],
        "stop": plan["stop_loss"],
        "targets": [{"price": t["price"], "fraction": t["fraction"]} for t in plan["targets"]],
        "conviction": 0.7 if (best.get("adx_14") or 0.0) >= _STRONG_ADX else 0.55,
        "thesis": "It trends by its averages; a close behind the stop proves it wrong.",
        "claims": claims(plan, plan, "entry", "stop_loss"),
    }


def _watch(turn: Turn, coin: str, timeframe: str) -> Reply:
    if not turn.results:
        return asking(turn, {_HOLDS: [{"symbol": coin}], _LOOK: [{"symbol": coin, "timeframe": timeframe}]})
    held, seen = _told(turn, _HOLDS), _told(turn, _LOOK)
    if not held or not seen:
        return answered(turn, {"abstain": why(turn.results)})
    return answered(turn, {"symbol": coin, **_looked(held[-1], seen[-1])})


def _looked(held: Told, seen: Told) -> Told:
    """Close what has turned, follow what has run, else hold."""
    position = held["position"]
    rests = [{"evidence": held.get("evidence", ""), "field": "stop", "value": position.get("stop")}]
    sign = 1 if position["side"] == "buy" else -1
    if _trend(seen) == -sign:
        proof = claims(seen, seen, "price", "sma_20", "sma_50")
        return {"action": "close", "reason": "The trend that was the reason is lost.", "claims": rests + proof}
    level = _better(position, seen, sign)
    if level is None:
        return {"action": "hold", "reason": "The trend holds.", "claims": rests}
    return {
        "action": "move_stop",
        "stop": seen[level],
        "reason": f"It has run; the stop follows to {level}.",
        "claims": rests + claims(seen, seen, level),
    }


def _better(position: Told, seen: Told, sign: int) -> str | None:
    """The level nearest to the price that is a true range away from it, and at least as much less risk than where the stop rests."""
    room, mark, stop = seen.get("atr_14"), position["mark"]["price"], position.get("stop")
    if not room or stop is None:
        return None
    known = [name for name in _LEVELS if seen.get(name) is not None]
    fit = [name for name in known if (mark - seen[name]) * sign >= room and (seen[name] - stop) * sign >= room]
    return max(fit, key=lambda name: seen[name] * sign, default=None)


def _trend(seen: Told) -> int:
    """1 up, -1 down, 0 where price and the faster average lie on two sides of the slower, or are not known."""
    price, fast, slow = (seen.get(name) for name in ("price", "sma_20", "sma_50"))
    if price is None or fast is None or slow is None:
        return 0
    return int(min(price, fast) > slow) - int(max(price, fast) < slow)


def _told(turn: Turn, tool: str) -> list[Told]:
    return [r.value for r in turn.results if r.tool == tool and r.value is not None and not r.failed]
