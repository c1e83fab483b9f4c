"""Several servers and several models as one: whoever is free, well and least busy is asked, the next one where that fails.

Promises that models take turns, that no model on a server gets more questions at a time than configured, that one which failed several
times in a row is left alone for a while and then tried with a single question, and that a question ends within `total_seconds`, however
many were tried. May be used from several threads. Refuses to make up an answer: ModelUnavailableError names each failure and what to do.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from trading_bot.domain.errors import ModelUnavailableError
from trading_bot.llm.ollama_server import Answer, OllamaServer, Question
from trading_bot.network.deadline import Deadline
from trading_bot.ports.news import ModelHealth
from trading_bot.settings_news import OllamaSettings

_REMEMBERED = 32


@dataclass(eq=False)
class _Seat:
    """One model on one server, and how it did."""

    server: OllamaServer
    model: str
    busy: int = 0
    asked: int = 0
    failed: int = 0
    row: int = 0
    """Failures since the last answer."""
    shut_until: float | None = None
    note: str = ""
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def shut(self, now: float) -> bool:
        """Left alone: its time is not over, or somebody tries it just now."""
        return self.shut_until is not None and (now < self.shut_until or self.busy > 0)

    def why(self, now: float) -> str:
        """What went wrong last, and how long it is left alone for that."""
        wait = max((self.shut_until or now) - now, 0)
        return f"{self.note} (left alone for {wait:.0f} s)" if self.shut(now) else self.note


class OllamaPool:
    """All servers of the settings; `steady` counts seconds. ModelUnavailableError where no server is named."""

    def __init__(self, settings: OllamaSettings, steady: Callable[[], float]) -> None:
        if not settings.url:
            raise ModelUnavailableError("there is no server of local models: name one as ollama.url, such as http://127.0.0.1:11434")
        self.models = settings.models
        self._settings = settings
        self._steady = steady
        self._servers = tuple(OllamaServer(url, settings, steady) for url in settings.url)
        self._seats = tuple(_Seat(server, model) for model in settings.models for server in self._servers)
        self._change = threading.Condition()
        self._turn = 0

    def ask(self, question: Question, model: str | None = None, without: Collection[str] = ()) -> Answer:
        """Ask `model`, or whose turn it is but those `without`."""
        whole = Deadline(self._steady, self._settings.total_seconds)
        order = self._order(model, without)
        tried: list[_Seat] = []
        while (seat := self._take(order, tried, whole)) is not None:
            tried.append(seat)
            began, note = self._steady(), "the question was given up"
            try:
                answer = seat.server.chat(seat.model, question, whole)
                note = ""
            except ModelUnavailableError as error:
                note = str(error)
            finally:
                self._leave(seat, note, self._steady() - began)
            if not note:
                return answer
        raise ModelUnavailableError(self._complaint(order, tried))

    def warm_up(self) -> Sequence[ModelHealth]:
        """Have every model that is there in memory, before it is needed; tell how they are."""
        for health, seat in zip(self.health(), self._seats, strict=True):
            if health.ready:
                note = ""
                try:
                    seat.server.load(seat.model, Deadline(self._steady, self._settings.first_token_seconds))
                except ModelUnavailableError as error:
                    note = str(error)
                with self._change:
                    self._judge(seat, note)
        return self.health()

    def health(self) -> Sequence[ModelHealth]:
        """Every model on every server, asked now."""
        there = {server: _looked(server) for server in self._servers}
        with self._change:
            return [self._told(seat, there[seat.server]) for seat in self._seats]

    def _told(self, seat: _Seat, there: Mapping[str, bool] | str) -> ModelHealth:
        now, note = self._steady(), seat.why(self._steady())
        present = not isinstance(there, str) and _full(seat.model) in there
        if isinstance(there, str):
            note = there
        elif not present:
            note = f"{seat.server.url} does not have it: run `ollama pull {seat.model}` there"
        elif not note and not there[_full(seat.model)]:
            note = "not in memory: its next answer takes longer"
        return ModelHealth(
            server=seat.server.url,
            model=seat.model,
            ready=present and not seat.shut(now),
            busy=seat.busy,
            asked=seat.asked,
            failed=seat.failed,
            latency_ms=round(median(seat.seconds) * 1000, 1) if seat.seconds else None,
            note=note,
        )

    def _order(self, model: str | None, without: Collection[str]) -> Sequence[str]:
        """Models in the order in which they are wanted now."""
        if model is not None:
            if model not in self.models:
                known = ", ".join(self.models)
                raise ModelUnavailableError(f"{model} is none of ollama.models ({known}): add it, then `ollama pull {model}`")
            return (model,)
        with self._change:
            first = self._turn % len(self.models)
            self._turn += 1
        order = [name for name in self.models[first:] + self.models[:first] if name not in without]
        if not order:
            raise ModelUnavailableError("there is no other local model: name one more in ollama.models")
        return order

    def _take(self, order: Sequence[str], tried: Collection[_Seat], whole: Deadline) -> _Seat | None:
        """A free seat of the first model that has one, on the least busy server; None if there is none in time."""
        with self._change:
            while whole.left() > 0:
                now = self._steady()
                well = [seat for seat in self._seats if seat.model in order and seat not in tried and not seat.shut(now)]
                free = [seat for seat in well if seat.busy < self._settings.per_model]
                if free:
                    seat = min(free, key=lambda s: (order.index(s.model), self._load(s.server), s.asked))
                    seat.busy += 1
                    seat.asked += 1
                    return seat
                if not well or not self._change.wait(whole.left()):
                    return None
        return None

    def _load(self, server: OllamaServer) -> int:
        return sum(seat.busy for seat in self._seats if seat.server is server)

    def _leave(self, seat: _Seat, note: str, seconds: float) -> None:
        with self._change:
            seat.busy -= 1
            self._judge(seat, note)
            if not note:
                seat.seconds.append(seconds)
            self._change.notify_all()

    def _judge(self, seat: _Seat, note: str) -> None:
        """Count what came of a question; the circuit breaker."""
        if not note:
            seat.row, seat.shut_until = 0, None
            return
        seat.note = note
        seat.failed += 1
        seat.row += 1
        if seat.row >= self._settings.breaker_failures:
            seat.shut_until = self._steady() + self._settings.breaker_seconds

    def _complaint(self, order: Sequence[str], tried: Collection[_Seat]) -> str:
        with self._change:
            now = self._steady()
            seats = [seat for seat in self._seats if seat.model in order]
            reasons = dict.fromkeys(seat.why(now) for seat in seats if seat in tried or seat.shut(now))
        told = "; ".join(reason for reason in reasons if reason)
        return f"no local model answered: {told or 'all are busy; raise ollama.per_model, or add a server'}"


def _looked(server: OllamaServer) -> Mapping[str, bool] | str:
    """The models that are there and whether they are in memory, or why nobody knows."""
    try:
        return {_full(name): loaded for name, loaded in server.models().items()}
    except ModelUnavailableError as error:
        return str(error)


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
