"""Account and positions over REST: balances, positions, leverage, trading stops, fees, logs and the key itself."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading_bot.brokers.units import moment
from trading_bot.domain.values import ONE, ZERO, amount_text
from trading_bot.sandbox.bybit import guards, settling
from trading_bot.sandbox.bybit.contracts import FEES, LINEAR, SPOT
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.positions import Position
from trading_bot.sandbox.bybit.routes_trade import span
from trading_bot.sandbox.bybit.signing import Credentials
from trading_bot.sandbox.bybit.wire import ELSEWHERE, Parameters, Refused, millis, page, text

_CENTS = Decimal("1e-8")
_ROW = ("availableToBorrow", "availableToWithdraw", "bonus")
_EMPTY_ROW = dict.fromkeys(_ROW, "")


def _told(value: Decimal) -> str:
    return text(value.quantize(_CENTS))


def price_of(engine: Engine, coin: str) -> Decimal:
    """A coin in dollars; 0 if nothing here says."""
    if coin in {"USDT", "USDC", "USD"}:
        return ONE
    for category in (SPOT, LINEAR):
        for contract in engine.contracts(category):
            if contract.base_coin == coin:
                return engine.mark(contract)
    return ZERO


def wallet(engine: Engine) -> dict[str, Any]:
    """The account as `wallet-balance` and the `wallet` topic tell it."""
    coins = engine.ledger.coins
    rows = [_coin(engine, coin) for coin, balance in coins.items() if balance or coin == "USDT"]
    worth = sum((balance * price_of(engine, coin) for coin, balance in coins.items()), ZERO)
    initial, maintenance = settling.position_margins(engine)
    orders = settling.order_margin(engine)
    unrealised = settling.equity(engine) - coins.get("USDT", ZERO)
    margin = settling.equity(engine)
    # Coins other than the dollar are no collateral here.
    free = max(settling.available(engine), ZERO)
    rate = (initial + orders) / margin if margin > ZERO else ZERO
    least = maintenance / margin if margin > ZERO else ZERO
    return {
        "totalEquity": _told(worth + unrealised),
        "accountIMRate": text(rate.quantize(Decimal("1e-4"))),
        "accountIMRateByMp": text(rate.quantize(Decimal("1e-4"))),
        "totalMarginBalance": _told(margin),
        "totalInitialMargin": _told(initial + orders),
        "totalInitialMarginByMp": _told(initial + orders),
        "accountType": "UNIFIED",
        "totalAvailableBalance": _told(free),
        "accountMMRate": text(least.quantize(Decimal("1e-4"))),
        "accountMMRateByMp": text(least.quantize(Decimal("1e-4"))),
        "totalPerpUPL": _told(unrealised),
        "totalWalletBalance": _told(worth),
        "accountLTV": "0",
        "totalMaintenanceMargin": _told(maintenance),
        "totalMaintenanceMarginByMp": _told(maintenance),
        "coin": rows,
    }


def _coin(engine: Engine, coin: str) -> dict[str, Any]:
    balance, worth = engine.ledger.coins.get(coin, ZERO), settling.equity(engine, coin)
    initial, maintenance = settling.position_margins(engine, coin)
    return _EMPTY_ROW | {
        "bonus": "0",
        "accruedInterest": "0",
        "totalOrderIM": _told(settling.order_margin(engine, coin)),
        "equity": _told(worth),
        "totalPositionMM": _told(maintenance),
        "usdValue": _told(worth * price_of(engine, coin)),
        "spotHedgingQty": "0",
        "unrealisedPnl": _told(worth - balance),
        "collateralSwitch": coin == "USDT",
        "borrowAmount": "0",
        "totalPositionIM": _told(initial),
        "walletBalance": _told(balance),
        "cumRealisedPnl": _told(engine.ledger.realised.get(coin, ZERO)),
        "locked": _told(settling.locked(engine, coin)),
        "marginCollateral": True,
        "coin": coin,
        "spotBorrow": "0",
    }


def wallet_balance(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Balances, of some coins or of all."""
    said.choice("accountType", ("UNIFIED",))
    told = wallet(engine)
    if said.has("coin"):
        wanted = said.text("coin").split(",")
        held = {row["coin"]: row for row in told["coin"]}
        told = told | {"coin": [held.get(coin) or _coin(engine, coin) for coin in wanted]}
    return {"list": [told]}


def info(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    """A unified account in cross margin."""
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": str(millis(moment(engine.clock))),
        "unifiedMarginStatus": 5,
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def fee_rate(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Fees of each contract."""
    category = said.category()
    wanted = said.text("symbol", "")
    rows = [
        {"symbol": c.symbol, "takerFeeRate": text(FEES[category].taker), "makerFeeRate": text(FEES[category].maker)}
        for c in engine.contracts(category)
        if wanted in {"", str(c.symbol)}
    ]
    return {"category": category, "list": rows}


def transaction_log(engine: Engine, said: Parameters) -> dict[str, Any]:
    """What moved money, newest first, of at most seven days."""
    if not (said.has("startTime") or said.has("endTime")):
        first, last = 0, engine.clock // 1_000_000
    else:
        first, last = span(engine, said)
    wanted = {name: said.text(asked, "") for name, asked in (("category", "category"), ("currency", "currency"), ("type", "type"))}
    rows = [
        (number, row)
        for number, row in engine.ledger.log
        if first <= int(row["transactionTime"]) <= last
        and all(value in {"", row[name]} or _outside(name, row) for name, value in wanted.items())
    ]
    shown, cursor = page(rows, said, 20, 50)
    return {"nextPageCursor": cursor, "list": shown}


def _outside(name: str, row: dict[str, Any]) -> bool:
    """Transfers belong to no category."""
    return name == "category" and row["category"] == ""


def key_info(engine: Engine, credentials: Credentials, uid: int) -> dict[str, Any]:
    """What the key may do."""
    at = moment(engine.clock)
    trade = [] if credentials.read_only else ["Order", "Position"]
    permissions: dict[str, list[str]] = {
        "ContractTrade": trade,
        "Spot": trade and ["SpotTrade"],
        "Wallet": [],
        "Options": [],
        "Derivatives": trade and ["DerivativesTrade"],
        "CopyTrading": [],
        "BlockTrade": [],
        "Exchange": [],
        "NFT": [],
        "Affiliate": [],
        "Earn": [],
    }
    return {
        "id": str(uid),
        "note": "emulated",
        "apiKey": credentials.key or "emulated",
        "readOnly": int(credentials.read_only),
        "secret": "",
        "permissions": permissions,
        "ips": ["127.0.0.1"],
        "type": 1,
        "deadlineDay": 90,
        "expiredAt": (at + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "createdAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "unified": 0,
        "uta": 1,
        "userID": uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "",
    }


# -- positions -----------------------------------------------------------------------------------------------------------


def positions(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Positions; a symbol that was asked for is told when flat, too."""
    category = said.choice("category", (LINEAR, *ELSEWHERE))
    if category in ELSEWHERE:
        return {"category": category, "nextPageCursor": "", "list": []}
    if said.has("symbol"):
        found = [engine.ledger.position(engine.contract(category, said.text("symbol")))]
    elif said.has("settleCoin") or said.has("baseCoin"):
        coin, base = said.text("settleCoin", ""), said.text("baseCoin", "")
        found = [p for p in engine.exposed() if coin in {"", p.contract.quote_coin} and base in {"", p.contract.base_coin}]
    else:
        raise Refused("parameter", "symbol or settleCoin is required")
    worth = settling.equity(engine)
    rows = [position.told(engine.mark(position.contract), worth) for position in found]
    return {"category": category, "nextPageCursor": "", "list": rows}


def _position(engine: Engine, said: Parameters) -> Position:
    return engine.ledger.position(engine.contract(said.choice("category", (LINEAR,)), said.text("symbol")))


def set_leverage(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Leverage of a symbol, the same for both sides in one-way mode."""
    position = _position(engine, said)
    buy, sell = said.positive("buyLeverage"), said.positive("sellLeverage")
    if buy is None or sell is None or buy != sell:
        raise Refused("parameter", "buy leverage must be equal to sell leverage")
    if buy < ONE:
        raise Refused("parameter", "leverage invalid")
    if buy > position.contract.instrument.leverage_cap:
        raise Refused("leverage_high")
    if buy == position.leverage:
        raise Refused("leverage_same")
    position.leverage = buy
    engine.dirty.add(position.contract.symbol)
    engine.evidence.note("action", moment(engine.clock), what="leverage", symbol=position.contract.symbol, leverage=amount_text(buy))
    return {}


def switch_mode(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    """One-way is the only mode, and it is set."""
    if said.number("mode", -1) == 0:
        raise Refused("mode_same")
    raise Refused("hedge_mode")


def trading_stop(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Set, move or take away the stops of a position; what is not named stays."""
    position = _position(engine, said)
    if said.number("positionIdx", 0) != 0:
        raise Refused("hedge")
    if not position.size:
        raise Refused("no_position")
    if said.choice("tpslMode", ("Full", "Partial"), "Full") != "Full":
        raise Refused("parameter", "tpslMode Partial is not emulated")
    names = {"stopLoss": "stop_loss", "takeProfit": "take_profit", "trailingStop": "trailing", "activePrice": "active"}
    wanted = {ours: said.decimal(theirs) or None for theirs, ours in names.items() if said.has(theirs)}
    base = engine.mark(position.contract)
    guards.check_sides(position.contract, position.sign, base, wanted.get("stop_loss"), wanted.get("take_profit"))
    for name in ("trailing", "active"):
        if (price := wanted.get(name)) is not None:
            position.contract.check_price(price, name)
    if all(getattr(position, name) == price for name, price in wanted.items()):
        raise Refused("not_modified")
    for name, price in wanted.items():
        setattr(position, name, price)
    guards.sync(engine, position, "CancelByUser")
    engine.dirty.add(position.contract.symbol)
    return {}


def closed_pnl(engine: Engine, said: Parameters) -> dict[str, Any]:
    """What was closed, newest first, of at most seven days."""
    category = said.choice("category", (LINEAR, *ELSEWHERE))
    first, last = span(engine, said)
    wanted = said.text("symbol", "")
    rows = [(n, row) for n, row in engine.ledger.closed if first <= int(row["updatedTime"]) <= last and wanted in {"", row["symbol"]}]
    shown, cursor = page(rows if category == LINEAR else [], said, 50, 100)
    return {"category": category, "nextPageCursor": cursor, "list": shown}


def coins(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    """Coins that exist here; other libraries ask before they trade."""
    held = {"USDT"} | {contract.base_coin for category in (SPOT, LINEAR) for contract in engine.contracts(category)}
    rows = [{"name": coin, "coin": coin, "remainAmount": "0", "chains": []} for coin in sorted(held)]
    return {"rows": rows}
