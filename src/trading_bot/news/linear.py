"""A small linear model that a user trains on labelled texts of their own (`scripts/train_sentiment.py`); none ships.

Promises that reading takes numpy alone, that the same file and passage give the same answer, and that the sign of a score is its class
(exactly 0 is neutral) and confidence that class's probability. A file that is missing, damaged, foreign, or was trained beside another
lexicon is a ModelUnavailableError that says so: the tier below answers, and a file that appears later is taken up.
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trading_bot.domain.errors import ModelUnavailableError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.news.features import BUCKETS, DENSE, Features, features
from trading_bot.news.lexicon import Lexicon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trading_bot.ports.news import Passage

CLASSES: Final = ("negative", "neutral", "positive")
FORMAT: Final = "trading-bot sentiment 1"
_SHAPE = (BUCKETS + DENSE, len(CLASSES))


@dataclass(frozen=True, eq=False)
class Weights:
    """What training found, and the card that says from what."""

    table: npt.NDArray[np.float32]
    """A row for each bucket, then one for each feature of the lexicon; a column for each class."""
    bias: npt.NDArray[np.float32]
    card: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write them to `path`, which is complete or is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        text = json.dumps({**self.card, "format": FORMAT, "lexicon": lexicon_digest()}, sort_keys=True)
        with fresh.open("wb") as file:
            np.savez_compressed(file, table=self.table, bias=self.bias, card=np.frombuffer(text.encode(), np.uint8))
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Weights:
        """Read them. ModelUnavailableError says what is wrong with the file."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                table, bias, card = held["table"], held["bias"], json.loads(held["card"].tobytes())
        except FileNotFoundError:
            raise ModelUnavailableError(
                f"{path} is not there: make it with scripts/train_sentiment.py from labelled texts of your own"
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelUnavailableError(f"{path} is damaged or no weights of this model ({error}): train it again") from error
        if not isinstance(card, dict) or card.get("format") != FORMAT or (table.shape, bias.shape) != (_SHAPE, _SHAPE[1:]):
            raise ModelUnavailableError(f"{path} holds no weights of {FORMAT}: train it again")
        if card.get("lexicon") != lexicon_digest():
            raise ModelUnavailableError(f"{path} was trained beside another lexicon: train it again")
        if not (np.isfinite(table).all() and np.isfinite(bias).all()):
            raise ModelUnavailableError(f"{path} holds weights that are no numbers: train it again")
        return cls(table.astype(np.float32), bias.astype(np.float32), card)

    def probabilities(self, seen: Features) -> npt.NDArray[np.float64]:
        """Return the probability of each class."""
        logits = self.bias + seen.dense @ self.table[BUCKETS:]
        for group in (seen.words, seen.letters):
            logits = logits + self.table[group].sum(axis=0) * scale(group)
        raised = np.exp((logits - logits.max()).astype(np.float64))
        return np.asarray(raised / raised.sum())


def scale(group: npt.NDArray[np.int64]) -> float:
    """Return the value of each bucket of a group: long texts have many, and weigh no more for it."""
    return 1 / math.sqrt(max(1, len(group)))


def lexicon_digest() -> str:
    """Name the words whose findings are features. A change of the code that makes features asks for another `FORMAT`."""
    return hashlib.sha256(resources.files("trading_bot.news").joinpath("lexicon.yaml").read_bytes()).hexdigest()[:16]


class Linear:
    """The tier above the lexicon, once it is trained."""

    tier = Tier.LINEAR
    name = "linear"

    def __init__(self, path: Path, lexicon: Lexicon) -> None:
        self._path, self._lexicon = path, lexicon
        self._weights: Weights | None = None

    def price(self) -> Decimal:
        """Nothing."""
        return Decimal(0)

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each."""
        weights = self._weights = self._weights or Weights.load(self._path)
        return [self._sentiment(weights.probabilities(features(passage, self._lexicon.evidence(passage)))) for passage in passages]

    def _sentiment(self, chances: npt.NDArray[np.float64]) -> Sentiment:
        bad, neutral, good = (float(chance) for chance in chances)
        best = max(bad, neutral, good)
        return Sentiment(score=0.0 if neutral == best else good - bad, confidence=min(1.0, best), tier=self.tier, model=self.name)
