"""Settings, a counter and a pool for tests of local models."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.settings_news import OllamaSettings

QUICK: dict[str, Any] = {
    "models": ("llama3.2", "mistral", "phi3"),
    "per_model": 1,
    "first_token_seconds": 1.0,
    "total_seconds": 3.0,
    "max_tokens": 64,
    "breaker_failures": 2,
    "breaker_seconds": 60.0,
}


class Steady:
    """A counter of seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The seconds."""
        return self.now


def pool(*urls: str, steady: Callable[[], float] = time.monotonic, **changed: Any) -> OllamaPool:  # noqa: ANN401 - settings
    """A pool of these servers, quick to lose its patience."""
    return OllamaPool(OllamaSettings(**(QUICK | {"url": urls} | changed)), steady)


def nonces() -> Callable[[], str]:
    """Nonces that tell in which order they were drawn."""
    numbers = count(1)
    return lambda: f"n0nce{next(numbers)}"
