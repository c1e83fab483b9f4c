"""The mask of a run, wired: between the tools and the model, and between the model and the analyst. Without a seed there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from trading_bot.analysts.masking import MaskedAsker
from trading_bot.domain.values import Symbol
from trading_bot.llm.calls import Asker
from trading_bot.llm.mask import Mask
from trading_bot.ports import MarketSource
from trading_bot.tools import masked
from trading_bot.tools.calling import answer
from trading_bot.tools.host import Answering


@dataclass(frozen=True)
class Blinding:
    """How a run's model looks at the market."""

    mask: Mask | None

    @classmethod
    def of(cls, seed: int | None, symbols: Sequence[Symbol], source: MarketSource) -> Self:
        """The mask that `seed` draws over a universe, or none."""
        return cls(None if seed is None else Mask.draw(seed, {s: source.instrument(s) for s in symbols}))

    @property
    def answering(self) -> Answering:
        """What answers the model's calls of tools."""
        return answer if self.mask is None else masked.behind(self.mask)

    def over(self, asker: Asker) -> Asker:
        """The same asker behind the mask."""
        mask = self.mask
        return asker if mask is None else MaskedAsker(asker, mask, lambda call: masked.unmasked(mask, call))
