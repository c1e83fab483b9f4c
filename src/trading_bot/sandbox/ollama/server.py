"""The emulated Ollama: its own API and OpenAI's on one port of loopback, for the real clients.

Promises answers in the forms of Ollama's API document, streamed or whole, usage counted from what was asked and said, and a list of all
that it heard, keys blacked out. What the models say comes from a script, what goes wrong from fault rules (`faults` may be changed while
it serves); it has no clock and no chance of its own. Refuses to listen anywhere but on loopback.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trading_bot.sandbox.exchange.serving import Loopback
from trading_bot.sandbox.ollama import wire
from trading_bot.sandbox.ollama.faults import Rule, spoil
from trading_bot.sandbox.ollama.question import Manner, Question, Reply, of_native, of_openai
from trading_bot.sandbox.ollama.scripts import Script, reader

MODELS = ("llama3.2", "mistral", "phi3")
_FOREVER = 3600.0
_UNSTREAMED = {Manner.HANG_MID: Manner.HANG, Manner.RESET_MID: Manner.RESET}
"""An answer in one piece has no middle."""

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Heard:
    """One question as it came."""

    path: str
    key: str
    """Whether a bearer key came with it, blacked out."""
    body: Mapping[str, Any]

    def line(self) -> str:
        """JSON on one line."""
        return json.dumps(vars(self) | {"body": dict(self.body)}, ensure_ascii=False)


class EmulatedOllama:
    """Use it as a context, then `url` answers until the block ends.

    `models` are there from the start; `key`: the only bearer key that OpenAI's door lets in (None: any, or none).
    """

    def __init__(  # noqa: PLR0913 - what a user may choose
        self,
        script: Script = reader,
        faults: Sequence[Rule] = (),
        *,
        models: Sequence[str] = MODELS,
        key: str | None = None,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self._first = (script, tuple(faults))
        self._models = tuple(models)
        self._key = key
        self._log = log
        self.forget()
        self._gone = False
        self._loopback = Loopback(self._app(), port=port, name="ollama")

    def __enter__(self) -> Self:
        """Serve in a thread of its own."""
        self._loopback.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every connection, hanging ones too."""
        self.stop()

    def stop(self) -> None:
        """Be gone: connections are refused from now on. Again changes nothing."""
        if not self._gone:
            self._gone = True
            self._loopback.stop()

    def forget(self) -> None:
        """Be as at the start: nothing heard, nothing loaded, script and faults as they were given."""
        self.script, self.faults = self._first
        self.uncapped = False
        """Whether the models talk on after `num_predict` tokens."""
        self._heard: list[Heard] = []
        self._loaded: list[str] = []
        self._calls: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self.most_busy: Counter[str] = Counter()
        """Most questions to each model at one time."""

    @property
    def url(self) -> str:
        """For `ollama.url`; OpenAI's door is below /v1."""
        return self._loopback.url

    @property
    def heard(self) -> tuple[Heard, ...]:
        """Questions to models so far, in order."""
        return tuple(self._heard)

    @property
    def asked(self) -> tuple[str, ...]:
        """Whom they were for."""
        return tuple(str(heard.body.get("model")) for heard in self._heard)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Models in memory."""
        return tuple(self._loaded)

    def _app(self) -> Starlette:
        listed: Mapping[str, Callable[[], Any]] = {
            "/api/version": lambda: {"version": wire.VERSION},
            "/api/tags": lambda: wire.tags(self._models),
            "/api/ps": lambda: wire.running(self._loaded),
            "/v1/models": lambda: wire.openai_models(self._models),
        }
        asked: Mapping[str, Endpoint] = {
            "/api/show": self._show,
            "/api/chat": self._native("chat"),
            "/api/generate": self._native("generate"),
            "/api/embed": self._embed,
            "/api/embeddings": self._embed,
            "/v1/chat/completions": self._openai,
            "/chat/completions": self._openai,  # as DeepSeek spells it
        }
        routes = [Route(path, self._told(answer)) for path, answer in listed.items()]
        routes += [Route(path, endpoint, methods=["POST"]) for path, endpoint in asked.items()]
        return Starlette(routes=[Route("/", _alive, methods=["GET", "HEAD"]), *routes])

    def _told(self, answer: Callable[[], Any]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            reply = self._spoiled("*", "list", 1, Reply())
            return await self._before(request, reply) or JSONResponse(answer())

        return endpoint

    async def _show(self, request: Request) -> Response:
        name = str((await _body(request)).get("model") or "")
        reply = self._present(name, self._spoiled(name, "list", 1, Reply()))
        return await self._before(request, reply) or JSONResponse(wire.shown(name))

    async def _embed(self, request: Request) -> Response:
        body = await self._hear(request)
        question = of_native(body, self._count(str(body.get("model"))))
        reply = self._reply(question, lambda _: Reply())
        if refused := await self._before(request, reply):
            return refused
        if request.url.path == "/api/embeddings":
            return JSONResponse({"embedding": wire.embedding(str(body.get("prompt") or ""))})
        given = body.get("input") or []
        vectors = [wire.embedding(str(text)) for text in ([given] if isinstance(given, str) else given)]
        ending = wire.ending("chat", question, reply)
        told = {name: ending.get(name, 0) for name in ("total_duration", "load_duration", "prompt_eval_count")}
        return JSONResponse({"model": question.model, "embeddings": vectors, **told})

    def _native(self, kind: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            body = await self._hear(request)
            question = of_native(body, self._count(str(body.get("model"))))
            question = replace(question, most=0) if self.uncapped else question
            reply = self._reply(question, self.script)
            if refused := await self._before(request, reply):
                return refused
            self._load(question.model, body.get("keep_alive"))
            if not question.stream or question.empty:
                return JSONResponse(wire.whole(kind, question, reply))
            return StreamingResponse(self._lines(request, kind, question, reply), media_type="application/x-ndjson")

        return endpoint

    async def _openai(self, request: Request) -> Response:
        body = await self._hear(request)
        if self._key is not None and request.headers.get("authorization") != f"Bearer {self._key}":
            return JSONResponse(wire.openai_error(401, "Authentication Fails, Your api key is invalid"), 401)
        question = of_openai(body, self._count(str(body.get("model"))))
        reply = self._reply(question, self.script)
        if refused := await self._before(request, reply, openai=True):
            return refused
        if not question.stream:
            return JSONResponse(wire.completion(question, reply))
        return StreamingResponse(self._events(request, body, question, reply), media_type="text/event-stream")

    async def _lines(self, request: Request, kind: str, question: Question, reply: Reply) -> AsyncIterator[bytes]:
        async for piece in self._pieces(request, question, reply):
            yield wire.line(wire.part(kind, question, piece))
        if reply.tools:
            yield wire.line(wire.calls(kind, question, reply))
        yield wire.line(wire.last(kind, question, reply))

    async def _events(self, request: Request, body: Mapping[str, Any], question: Question, reply: Reply) -> AsyncIterator[bytes]:
        async for piece in self._pieces(request, question, reply):
            yield wire.event(wire.chunk(question, piece))
        yield wire.event(wire.chunk(question, "", wire.finished(question, reply)))
        if (body.get("stream_options") or {}).get("include_usage"):
            yield wire.event(wire.chunk(question, "") | {"choices": [], "usage": wire.usage(question, reply)})
        yield wire.event("[DONE]")

    async def _pieces(self, request: Request, question: Question, reply: Reply) -> AsyncIterator[str]:
        """The tokens in the manner of the reply, counted as one question at work."""
        busy, most = self._busy, self.most_busy
        busy[question.model] += 1
        most[question.model] = max(most[question.model], busy[question.model])
        try:
            cut = len(wire.said(reply, question)) // 2 if reply.manner in {Manner.HANG_MID, Manner.RESET_MID} else None
            for number, piece in enumerate(wire.flow(reply, question)):
                if number == cut:
                    await self._break(request, reply)
                await asyncio.sleep(reply.pause)
                yield piece
        finally:
            busy[question.model] -= 1

    async def _before(self, request: Request, reply: Reply, *, openai: bool = False) -> Response | None:
        """What happens before the first token: an error, silence, or nothing."""
        if reply.manner in {Manner.HANG, Manner.RESET}:
            await self._break(request, reply)
        if reply.first:
            await asyncio.sleep(reply.first)
        if reply.page:
            return HTMLResponse(reply.page)
        if not reply.error:
            return None
        return JSONResponse(wire.openai_error(reply.status, reply.error) if openai else {"error": reply.error}, reply.status)

    async def _break(self, request: Request, reply: Reply) -> None:
        """Hang until the other side or the server goes, or cut the connection at once."""
        if reply.manner in {Manner.RESET, Manner.RESET_MID}:
            self._loopback.cut(request.client)
        await asyncio.sleep(_FOREVER)

    def _reply(self, question: Question, script: Script) -> Reply:
        honest = Reply() if question.empty else script(question)
        reply = self._present(question.model, self._spoiled(question.model, "answer", question.call, honest))
        if question.stream:
            return reply
        first = reply.first + reply.pause * len(wire.said(reply, question))
        return replace(reply, first=first, manner=_UNSTREAMED.get(reply.manner, reply.manner))

    def _present(self, name: str, reply: Reply) -> Reply:
        there = {wire.full(model) for model in self._models}
        return reply if wire.full(name) in there else Reply(status=404, error=f"model '{name}' not found")

    def _spoiled(self, model: str, on: str, call: int, honest: Reply) -> Reply:
        return spoil(self.faults, model, on, call, honest)

    def _count(self, model: str) -> int:
        self._calls[model] += 1
        return self._calls[model]

    def _load(self, model: str, keep: object) -> None:
        if keep in {0, "0"}:
            self._loaded = [m for m in self._loaded if m != model]
        elif model not in self._loaded:
            self._loaded.append(model)

    async def _hear(self, request: Request) -> Mapping[str, Any]:
        body = await _body(request)
        heard = Heard(request.url.path, "***" if "authorization" in request.headers else "", body)
        self._heard.append(heard)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(heard.line() + "\n")
        return body


async def _alive(_: Request) -> Response:
    return Response("Ollama is running", media_type="text/plain")


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
