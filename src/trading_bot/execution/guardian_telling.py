"""What people are told of conditions: each when it begins to count and when it is over, not again in between, over restarts too."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from trading_bot.execution.guardian_memory import Memory, Seen
from trading_bot.execution.guardian_sight import Condition
from trading_bot.ports import Notifier


@dataclass(frozen=True)
class Telling:
    """Tells by `notifier`, and on the terminal by `say`. What was told is in the memory."""

    notifier: Notifier
    say: Callable[[str], None]

    def announce(self, title: str, body: str) -> None:
        """Tell at once."""
        self.say(f"{title}: {body}")
        self.notifier.tell(title, body)

    def remember(self, memory: Memory, found: Iterable[Condition], now: datetime) -> Memory:
        """Note since when each condition holds; tell of those that ended."""
        known = {s.key: s for s in memory.conditions}
        current = {c.key: c for c in found}
        for seen in known.values():
            if seen.key not in current and seen.told:
                self.announce(f"Over: {seen.title}", f"Since {seen.since:%H:%M:%S} UTC; over at {now:%H:%M:%S}.")
        kept = tuple(known.get(key, Seen(key=key, title=c.title, since=now)).at(now) for key, c in current.items())
        return memory.model_copy(update={"conditions": kept})

    def tell(self, memory: Memory, due: Iterable[Condition]) -> Memory:
        """Tell of conditions of which nobody was told yet."""
        told = {s.key for s in memory.conditions if s.told}
        fresh = {c.key: c for c in due if c.key not in told}
        for condition in fresh.values():
            self.announce(condition.title, condition.body)
        marked = tuple(s.model_copy(update={"told": True}) if s.key in fresh else s for s in memory.conditions)
        return memory.model_copy(update={"conditions": marked})


def due(memory: Memory, found: Iterable[Condition], now: datetime) -> list[Condition]:
    """Conditions that have lasted for as long as people have patience with them."""
    since = {s.key: s.since for s in memory.conditions}
    return [c for c in found if now - since[c.key] >= c.patience]
