"""Answers of the emulated Alpaca that are no API's own: refusals by faults and halves of answers."""

import asyncio
from typing import Any

from starlette.responses import Response

from trading_bot.sandbox.alpaca.trading_api import Reply
from trading_bot.sandbox.venue_faults import Rule

MAINTENANCE = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"


class CutShort(Response):
    """Sends the first half of an answer, then cuts the connection."""

    def __init__(self, answer: Response, cut: Any) -> None:  # noqa: ANN401 - a function
        super().__init__(answer.body, answer.status_code, dict(answer.headers))
        self._cut_off = cut

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG002 - ASGI's signature
        """Send it."""
        raw = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": raw[: len(raw) // 2], "more_body": True})
        await asyncio.sleep(0.02)
        self._cut_off()
        await asyncio.sleep(0.01)


def refusal_by(rules: tuple[Rule, ...]) -> Reply | None:
    """The answer of a rule that keeps a call from being carried out."""
    for rule in rules:
        if rule.fault == "rate_limited":
            return Reply(429, error_body(42910000, "rate limit exceeded"))
        if rule.fault in {"server_error", "cut_body"} and not rule.accepted:
            return Reply(rule.status, error_body(50010000, "internal server error occurred"))
        if rule.fault == "reject" and not rule.accepted:
            return Reply(403, error_body(40310000, rule.reason))
        if rule.fault == "maintenance":
            return Reply(503, MAINTENANCE)
        if rule.fault == "expired_token":
            return Reply(401, error_body(40110000, "request is not authorized"))
    return None


def error_body(code: int, message: str) -> dict[str, object]:
    """An error as the trading API tells it."""
    return {"code": code, "message": message}
