"""One Ollama server, through its own client: a question in, words or a plain reason out.

Promises that every question ends: the first token, the whole answer, its length and its bytes have limits, and a model that sends
nothing but blanks is left as soon as that is seen. Every failure is a ModelUnavailableError whose text says what to do. Refuses to call
tools, to follow redirects, and to believe that a stream which broke off was an answer.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from trading_bot.domain.errors import ModelError, ModelUnavailableError
from trading_bot.llm.plain import plain
from trading_bot.network.deadline import Deadline
from trading_bot.settings_news import OllamaSettings

if TYPE_CHECKING:
    import ollama

T = TypeVar("T")

PROMPT_BYTES = 6656
"""A model's window holds this and its answer: a token is at least a byte, so no text can push the instructions out of sight."""
_TEMPLATE = 256
"""What a model's own template puts around a question."""
_BLANKS = 100
"""So many blanks in a row are no layout of JSON any more."""
_CHARACTERS = 16
"""Longest that a token may be on average before the server is held not to count them."""
_BYTES = 1024
"""Of a line of the stream, for each token."""
_CONNECT_SECONDS = 5.0
_LIST_SECONDS = 5.0
_REASON = 200
_KEEP = "10m"

_MISSING = 404
_REMEDIES: Mapping[int, str] = {
    _MISSING: "{url} does not have {model}: run `ollama pull {model}` there, or take it out of ollama.models",
    500: "{url} could not run {model} ({said}): free memory there, or name a smaller model",
    503: "{url} is busy ({said}): lower ollama.per_model, or add a server",
}


@dataclass(frozen=True)
class Question:
    """What a model is told."""

    system: str
    text: str
    schema: Mapping[str, Any] | None = None
    """Form of the answer; None: words."""

    def __post_init__(self) -> None:
        size = len(self.system.encode()) + len(self.text.encode())
        if size > PROMPT_BYTES:
            raise ModelError(f"the question has {size} bytes and may have {PROMPT_BYTES}: shorten it")


@dataclass(frozen=True)
class Answer:
    """What it said."""

    text: str
    model: str
    server: str
    cut: bool = False
    """Whether the cap of tokens ended it."""


class OllamaServer:
    """The server at `url`; `steady` counts seconds."""

    def __init__(self, url: str, settings: OllamaSettings, steady: Callable[[], float]) -> None:
        self.url = url.rstrip("/")
        self._settings = settings
        self._steady = steady
        secure = self.url.startswith("https:")
        self._context = ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def chat(self, model: str, question: Question, whole: Deadline) -> Answer:
        """Ask `model`. ModelUnavailableError if no whole answer came in time."""
        messages = [{"role": "system", "content": question.system}, {"role": "user", "content": question.text}]
        return self._guarded(model, whole, lambda client, patience: self._listen(client, patience, model, messages, question.schema))

    def load(self, model: str, whole: Deadline) -> None:
        """Have `model` in memory."""
        self._guarded(model, whole, lambda client, _: client.chat(model, [], keep_alive=_KEEP, options=self._options()))

    def models(self) -> Mapping[str, bool]:
        """What is there, and whether it is in memory."""

        def look(client: "ollama.Client", _: "_Patience") -> Mapping[str, bool]:
            loaded = {named.model for named in client.ps().models}
            return {str(named.model): named.model in loaded for named in client.list().models}

        return self._guarded("", Deadline(self._steady, _LIST_SECONDS), look)

    def _guarded(self, model: str, whole: Deadline, work: "Callable[[ollama.Client, _Patience], T]") -> T:
        import httpx  # noqa: PLC0415 - heavy, and nobody needs it who has no local models
        import ollama  # noqa: PLC0415 - the same

        from trading_bot.network.bounded_http import BoundedTransport  # noqa: PLC0415 - the same

        patience = _Patience(whole.within(self._settings.first_token_seconds), whole)
        transport = BoundedTransport(patience.left, _BYTES * (64 + self._settings.max_tokens), self._context)
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)  # the transport sees to the rest
        client = ollama.Client(self.url, timeout=timeout, transport=transport, trust_env=False, follow_redirects=False)
        try:
            with client:
                return work(client, patience)
        except ollama.ResponseError as error:
            raise ModelUnavailableError(self._refused(model, error.status_code, error.error)) from error
        except (httpx.TimeoutException, httpx.ConnectError, ConnectionError) as error:
            raise ModelUnavailableError(self._silent(patience, type(error).__name__)) from error
        except (httpx.HTTPError, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # what is no Ollama's answer fails in its client in many ways
            raise ModelUnavailableError(
                f"{self.url} broke off, or is no Ollama ({plain(str(error), _REASON)}): look at ollama.url"
            ) from error

    def _listen(
        self, client: "ollama.Client", patience: "_Patience", model: str, messages: list[dict[str, str]], schema: Mapping[str, Any] | None
    ) -> Answer:
        form = dict(schema) if schema else None
        text, written = "", 0
        for part in client.chat(model, messages, stream=True, format=form, options=self._options(), keep_alive=_KEEP):
            patience.spoke = True
            said = part.message.content or ""
            text += said
            written += len(said) + len(part.message.thinking or "")
            if part.done:
                return Answer(text.strip(), model, self.url, cut=part.done_reason == "length")
            if len(text) - len(text.rstrip()) > _BLANKS:
                return Answer(self._before_blanks(model, text, schema), model, self.url)
            if written > _CHARACTERS * self._settings.max_tokens:
                raise ModelUnavailableError(f"{model} at {self.url} talks on after {self._settings.max_tokens} tokens: leave it out")
        raise ValueError("the stream ended in the middle of the answer")

    def _before_blanks(self, model: str, text: str, schema: Mapping[str, Any] | None) -> str:
        """What stood before blanks without an end, if that is a whole JSON value."""
        try:
            json.loads(text if schema else "")
        except ValueError:
            why = f"{model} at {self.url} sends nothing but blanks: restart it, or leave it out of ollama.models"
            raise ModelUnavailableError(why) from None
        return text.strip()

    def _options(self) -> Mapping[str, Any]:
        """The same for every question: another window would load the model anew."""
        most = self._settings.max_tokens
        return {"temperature": 0, "seed": 0, "num_predict": most, "num_ctx": PROMPT_BYTES + _TEMPLATE + most}

    def _refused(self, model: str, status: int, said: str) -> str:
        strange = status == _MISSING and model not in said  # no word of the model: that was not an Ollama
        told = _REMEDIES.get(0 if strange else status, "{url} refused ({said}): look at ollama.url")
        return told.format(url=self.url, model=model or "the list of models", said=plain(str(said), _REASON))

    def _silent(self, patience: "_Patience", kind: str) -> str:
        if "Connect" in kind:
            return f"{self.url} does not answer: start it (`ollama serve`), or correct ollama.url"
        if patience.spoke:
            return f"{self.url} was not done in time: raise ollama.total_seconds, or name a smaller model"
        return f"{self.url} did not begin to answer in time: raise ollama.first_token_seconds, or name a smaller model"


class _Patience:
    """Seconds left: until the first token, then until the end."""

    def __init__(self, first: Deadline, whole: Deadline) -> None:
        self._first = first
        self._whole = whole
        self.spoke = False

    def left(self) -> float:
        return (self._whole if self.spoke else self._first).left()
