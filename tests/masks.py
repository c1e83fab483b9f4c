"""The mask of the market that tests write themselves."""

from tools.scopes import UNIVERSE, WrittenSource
from trading_bot.llm.mask import Mask

INSTRUMENTS = {symbol: WrittenSource().instrument(symbol) for symbol in UNIVERSE}


def drawn(seed: int) -> Mask:
    """The mask of the written market."""
    return Mask.draw(seed, INSTRUMENTS)


MASK = drawn(7)
"""By hand: it gives RISE the factor 1.3353, so its 136.34 is shown as 182.055 (136.34 x 1.3353 = 182.0548, on a grid of 0.001, since half
of a tick's 0.01 x 1.3353 is 0.0067)."""
