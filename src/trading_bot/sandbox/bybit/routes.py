"""Which path is what: method, kind of call for the fault rules, whether it needs a key, and who answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from trading_bot.sandbox.bybit import candles
from trading_bot.sandbox.bybit import routes_account as account
from trading_bot.sandbox.bybit import routes_market as market
from trading_bot.sandbox.bybit import routes_trade as trade
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.wire import Parameters

Handler = Callable[[Engine, Parameters], dict[str, Any]]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Route:
    """One endpoint."""

    handler: Handler
    kind: str
    """order, replace, cancel, read, or setting, which no rule names but `any`."""
    public: bool = False


def _nothing(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    return {}


def _empty(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    return {"list": [], "rows": [], "nextPageCursor": ""}


def _batch(handler: Handler) -> Handler:
    return partial(_each, handler)


def _each(handler: Handler, engine: Engine, said: Parameters) -> dict[str, Any]:
    return trade.batch(engine, said, handler)


_QUIET = (
    "/v5/asset/deposit/query-record",
    "/v5/asset/withdraw/query-record",
    "/v5/asset/transfer/query-inter-transfer-list",
    "/v5/asset/transfer/query-universal-transfer-list",
    "/v5/asset/settlement-record",
    "/v5/asset/delivery-record",
    "/v5/account/borrow-history",
    "/v5/account/collateral-info",
    "/v5/position/move-history",
)
"""Lists of what never happens here: deposits, loans, deliveries."""
CREATE = "/v5/order/create"
CANCEL = "/v5/order/cancel"
KEY = "/v5/user/query-api"
ROUTES: Mapping[Pair, Route] = {
    ("GET", "/v5/market/time"): Route(market.time, "read", public=True),
    ("GET", "/v5/market/instruments-info"): Route(market.instruments, "read", public=True),
    ("GET", "/v5/market/tickers"): Route(market.tickers, "read", public=True),
    ("GET", "/v5/market/kline"): Route(candles.kline, "read", public=True),
    ("GET", "/v5/market/mark-price-kline"): Route(candles.price_kline, "read", public=True),
    ("GET", "/v5/market/index-price-kline"): Route(candles.price_kline, "read", public=True),
    ("GET", "/v5/market/premium-index-price-kline"): Route(candles.premium_kline, "read", public=True),
    ("GET", "/v5/market/open-interest"): Route(market.open_interest, "read", public=True),
    ("GET", "/v5/market/account-ratio"): Route(market.account_ratio, "read", public=True),
    ("GET", "/v5/market/orderbook"): Route(market.orderbook, "read", public=True),
    ("GET", "/v5/market/recent-trade"): Route(market.recent_trades, "read", public=True),
    ("GET", "/v5/market/funding/history"): Route(market.funding_history, "read", public=True),
    ("GET", "/v5/market/risk-limit"): Route(market.risk_limit, "read", public=True),
    ("POST", CREATE): Route(trade.create, "order"),
    ("POST", "/v5/order/create-batch"): Route(_batch(trade.create), "order"),
    ("POST", "/v5/order/amend"): Route(trade.amend, "replace"),
    ("POST", "/v5/order/amend-batch"): Route(_batch(trade.amend), "replace"),
    ("POST", CANCEL): Route(trade.cancel, "cancel"),
    ("POST", "/v5/order/cancel-batch"): Route(_batch(trade.cancel), "cancel"),
    ("POST", "/v5/order/cancel-all"): Route(trade.cancel_all, "cancel"),
    ("GET", "/v5/order/realtime"): Route(trade.realtime, "read"),
    ("GET", "/v5/order/history"): Route(trade.history, "read"),
    ("GET", "/v5/execution/list"): Route(trade.executions, "read"),
    ("GET", "/v5/position/list"): Route(account.positions, "read"),
    ("POST", "/v5/position/set-leverage"): Route(account.set_leverage, "setting"),
    ("POST", "/v5/position/switch-mode"): Route(account.switch_mode, "setting"),
    ("POST", "/v5/position/trading-stop"): Route(account.trading_stop, "replace"),
    ("GET", "/v5/position/closed-pnl"): Route(account.closed_pnl, "read"),
    ("GET", "/v5/account/wallet-balance"): Route(account.wallet_balance, "read"),
    ("GET", "/v5/account/info"): Route(account.info, "read"),
    ("GET", "/v5/account/fee-rate"): Route(account.fee_rate, "read"),
    ("GET", "/v5/account/transaction-log"): Route(account.transaction_log, "read"),
    ("POST", "/v5/account/set-margin-mode"): Route(_nothing, "setting"),
    ("GET", "/v5/asset/coin/query-info"): Route(account.coins, "read"),
    ("GET", KEY): Route(_nothing, "read"),
    **{("GET", path): Route(_empty, "read", public=True) for path in ("/v5/system/status", "/v5/announcements/index")},
    **{("GET", path): Route(_empty, "read") for path in _QUIET},
}
"""Every endpoint that there is; what the key may do is answered by who knows it."""
