"""Emulated news on loopback: RSS, Atom, NewsAPI, Alpha Vantage and Alpaca news on one port, with faults.

Promises that an honest answer is told again by its ETag, that what was asked is kept (keys blacked out), and that nothing is hidden: GET
/__evidence. More stories come in by POST /__articles. Refuses to listen anywhere but on loopback, and vendors' requests without any key.
"""

import asyncio
import hashlib
import json
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trading_bot.domain.errors import ConfigError
from trading_bot.sandbox.exchange.serving import Loopback
from trading_bot.sandbox.news import wire
from trading_bot.sandbox.news.faults import TELLING, WRITING, Rule, Script
from trading_bot.sandbox.news.stories import Stories, Story
from trading_bot.sandbox.rule_files import rule_of

PATHS = {"rss": "/rss", "atom": "/atom", "newsapi": "/v2/everything", "alpha_vantage": "/query", "alpaca": "/v1beta1/news"}
_XML = {"rss": "application/rss+xml; charset=utf-8", "atom": "application/atom+xml; charset=utf-8"}
_VENDORS: Mapping[str, Callable[[Sequence[Story], Mapping[str, str]], dict[str, Any]]] = {
    "newsapi": wire.newsapi,
    "alpha_vantage": wire.alpha_vantage,
    "alpaca": wire.alpaca,
}
_SECRET = frozenset({"x-api-key", "authorization", "apca-api-key-id", "apca-api-secret-key", "apikey"})
_NO_KEY: Mapping[str, tuple[int, dict[str, str]]] = {
    "newsapi": (401, {"status": "error", "code": "apiKeyMissing", "message": "Your API key is missing."}),
    "alpha_vantage": (200, {"Error Message": "the parameter apikey is invalid or missing."}),
    "alpaca": (401, {"message": "unauthorized."}),
}
_KEPT = 1000


@dataclass(frozen=True)
class Heard:
    """One request, its keys blacked out."""

    kind: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class NewsService:
    """The sources; use it as a context, then `url` answers until the block ends."""

    def __init__(self, stories: Stories, faults: Sequence[Rule] = (), *, now: Callable[[], datetime], port: int = 0) -> None:
        self._stories = stories
        self._script = Script(faults)
        self._now = now
        self._added: deque[Story] = deque(maxlen=_KEPT)
        self._heard: deque[Heard] = deque(maxlen=_KEPT)
        routes = [Route(path, self._endpoint(kind)) for kind, path in PATHS.items()]
        own = [Route("/__evidence", self._evidence), Route("/__articles", self._take, methods=["POST"])]
        self._server = Loopback(Starlette(routes=routes + own), port=port, name="news")

    def __enter__(self) -> Self:
        """Serve in a thread of its own."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every connection, hanging ones too."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url

    @property
    def host(self) -> str:
        """For `news.private_hosts`."""
        return self.url.removeprefix("http://")

    @property
    def heard(self) -> tuple[Heard, ...]:
        """Requests so far, in order."""
        return tuple(self._heard)

    def add(self, story: Story) -> None:
        """Tell one more from now on."""
        self._added.appendleft(story)

    def _endpoint(self, kind: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self._heard.append(Heard(kind, _blackened(request.query_params), _blackened(request.headers)))
            rules = {rule.fault: rule for rule in self._script.strikes(kind)}
            return self._refused(kind, request, rules) or self._sent(kind, request, rules)

        return endpoint

    def _refused(self, kind: str, request: Request, rules: Mapping[str, Rule]) -> Response | None:
        """An answer that has nothing to tell."""
        failed = next((fault for fault in ("http_500", "http_403", "http_429") if fault in rules), None)
        if failed is not None:
            retry = rules[failed].retry_after
            return Response(failed, int(failed[-3:]), headers={} if retry is None else {"retry-after": str(retry)})
        for fault, target in (("redirect_private", ""), ("redirect_loop", PATHS[kind])):
            if fault in rules:
                return Response(status_code=302, headers={"location": target or rules[fault].address})
        if "used_up" in rules:
            key = request.query_params.get("apikey", "")
            return JSONResponse(
                {"Information": f"We have detected your API key as {key} and our standard API rate limit is 25 requests per day."}
            )
        given = {*request.headers, *request.query_params} & (_SECRET | {"apiKey"})
        return JSONResponse(_NO_KEY[kind][1], _NO_KEY[kind][0]) if kind in _NO_KEY and not given else None

    def _sent(self, kind: str, request: Request, rules: Mapping[str, Rule]) -> Response:
        told: Sequence[Story] = [*self._added, *self._stories(self._now())]
        body = self._document(kind, request, told, rules)
        headers = {"content-type": _XML.get(kind, "application/json"), "etag": f'"{hashlib.sha256(body).hexdigest()[:20]}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if "down" in rules:
            self._server.vanish(rules["down"].seconds)
        if "gzip_bomb" in rules:
            return StreamingResponse(_bomb(request), headers=headers | {"content-encoding": "gzip"})
        if "endless" in rules:
            return StreamingResponse(_endless(body, request), headers=headers)
        if "slow" in rules:
            return StreamingResponse(_dripping(body, rules["slow"].seconds), headers=headers)
        if "cut" in rules:
            return StreamingResponse(self._half(body, request), headers=headers | {"content-length": str(len(body))})
        return Response(body, headers=headers)

    def _document(self, kind: str, request: Request, stories: Sequence[Story], rules: Mapping[str, Rule]) -> bytes:
        for fault in rules.keys() & TELLING.keys():
            stories = TELLING[fault](stories, self._now())
        ordered = sorted(stories, key=lambda story: story.moment or datetime.min.replace(tzinfo=UTC), reverse=True)
        if kind in _VENDORS:
            body = json.dumps(_VENDORS[kind](ordered, dict(request.query_params))).encode()
        else:
            body = (wire.rss if kind == "rss" else wire.atom)(ordered).encode("utf-8", "replace")
        for fault in rules.keys() & WRITING.keys():
            body = WRITING[fault](body)
        return body

    async def _half(self, body: bytes, request: Request) -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await asyncio.sleep(0)
        self._server.cut(request.client)

    async def _evidence(self, _: Request) -> Response:
        return JSONResponse([vars(heard) for heard in self._heard])

    async def _take(self, request: Request) -> Response:
        try:
            told = json.loads(await request.body())
            stories = [rule_of(one, Story, "article") for one in (told if isinstance(told, list) else [told])]
        except (ConfigError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 422)
        for story in stories:
            self.add(story)
        return JSONResponse({"added": len(stories)})


def _blackened(told: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name.lower() in _SECRET else value for name, value in told.items()}


async def _bomb(request: Request) -> AsyncIterator[bytes]:
    """A gigabyte of blanks for each megabyte that is sent."""
    packing = zlib.compressobj(9, wbits=31)
    while not await request.is_disconnected():
        yield packing.compress(b" " * 1_000_000)


async def _endless(body: bytes, request: Request) -> AsyncIterator[bytes]:
    while not await request.is_disconnected():
        yield body


async def _dripping(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    for byte in body:
        yield bytes([byte])
        await asyncio.sleep(seconds)
