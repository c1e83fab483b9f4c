"""Train the linear model of news on labelled texts of your own; `pip install 'trading-bot[training]'` first.

    python scripts/train_sentiment.py DATA.csv [MORE.csv ...] --out ~/.trading-bot/models/sentiment.npz [--seed 1]

A file is a CSV of any of these kinds, known by its columns: text,label - sentence,label,agreement - sentence,target,score (from -1 to 1) -
Title,Decisions (JSON: whom it is about -> label). A label is negative, neutral or positive, or bearish or bullish, or a number 0 1 2 with
its word in label_name. Says how the classes are balanced and how good the model is on a fifth of the texts that it did not see, then
trains on all of them. What it was made from stands in the file. Whether you may use, or pass on, weights made from your data is
decided by the licences of the data: this script does not know them.
"""

import argparse
import csv
import hashlib
import json
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.news.features import BUCKETS, DENSE, Features, features
from trading_bot.news.lexicon import Lexicon
from trading_bot.news.linear import CLASSES, Weights, scale
from trading_bot.ports.news import Passage

NEUTRAL_WITHIN = 0.15
"""A score nearer to 0 is neutral."""
HELD_OUT = 5
"""One text of so many is kept aside to measure."""
STRENGTH = 1.0
"""Inverse of regularisation; chosen on first halves alone (`bench_sentiment.py`)."""
_WORDS = {"bearish": "negative", "bullish": "positive"}


class Example(NamedTuple):
    """A passage and its class."""

    passage: Passage
    label: str


class Quality(NamedTuple):
    """How good predictions are."""

    accuracy: float
    macro_f1: float
    by_class: dict[str, float]


def _label(word: str) -> str:
    label = _WORDS.get(word.strip().lower(), word.strip().lower())
    if label not in CLASSES:
        sys.exit(f"unknown label {word!r}: one of {', '.join(CLASSES)}, bearish, bullish")
    return label


def by_score(score: float) -> str:
    """Return the class of a score from -1 to 1."""
    return "neutral" if abs(score) < NEUTRAL_WITHIN else "positive" if score > 0 else "negative"


def _decisions(row: Mapping[str, str]) -> Iterator[Example]:
    for whom, label in json.loads(row["Decisions"]).items():
        yield Example(Passage(row["Title"], None, whom), _label(label))


KINDS: Mapping[frozenset[str], Callable[[Mapping[str, str]], Iterator[Example]]] = {
    frozenset({"Title", "Decisions"}): _decisions,
    frozenset({"sentence", "target", "score"}): lambda row: iter(
        [Example(Passage(row["sentence"], None, row["target"]), by_score(float(row["score"])))]
    ),
    frozenset({"sentence", "label"}): lambda row: iter([Example(Passage(row["sentence"]), _label(row["label"]))]),
    frozenset({"text", "label"}): lambda row: iter([Example(Passage(row["text"]), _label(row.get("label_name") or row["label"]))]),
}


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def examples(path: Path) -> list[Example]:
    """Return the labelled passages of one file."""
    table = rows(path)
    reader = next((reader for columns, reader in KINDS.items() if table and columns <= table[0].keys()), None)
    if reader is None:
        sys.exit(f"{path}: no columns that are known here; the simplest kind is text,label")
    return [example for row in table for example in reader(row)]


def seen(passages: Sequence[Passage]) -> list[Features]:
    """Return what the model sees of each."""
    lexicon = Lexicon()
    return [features(passage, lexicon.evidence(passage)) for passage in passages]


def fit(seen: Sequence[Features], labels: Sequence[str], card: dict[str, object]) -> Weights:
    """Fit multinomial logistic regression."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # comes with scikit-learn, without types
    from sklearn.linear_model import LogisticRegression

    places = np.arange(BUCKETS, BUCKETS + DENSE)
    columns = [np.concatenate([one.words, one.letters, places]) for one in seen]
    values = [np.concatenate([*(np.full(len(g), scale(g)) for g in (one.words, one.letters)), one.dense]) for one in seen]
    ends = np.cumsum([0, *map(len, columns)])
    matrix = csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(seen), BUCKETS + DENSE))
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
    model.fit(matrix, [CLASSES.index(label) for label in labels])
    if len(model.classes_) != len(CLASSES):
        sys.exit(f"the data has to hold all of {', '.join(CLASSES)}")
    return Weights(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32), dict(card))


def predicted(weights: Weights, seen: Sequence[Features]) -> list[str]:
    """Return the class of each."""
    return [CLASSES[int(np.argmax(weights.probabilities(one)))] for one in seen]


def quality(labels: Sequence[str], answers: Sequence[str]) -> Quality:
    """Compare answers with labels."""
    pairs = Counter(zip(labels, answers, strict=True))
    given, said = Counter(labels), Counter(answers)
    f1 = {name: 2 * pairs[name, name] / max(1, given[name] + said[name]) for name in CLASSES}
    return Quality(sum(pairs[name, name] for name in CLASSES) / max(1, len(labels)), sum(f1.values()) / len(f1), f1)


def split(texts: Sequence[str], seed: int) -> npt.NDArray[np.bool_]:
    """Return which texts are kept aside: by their hash, so that a text is never on both sides."""
    digests = (hashlib.sha256(f"{seed} {text.lower()}".encode()).digest() for text in texts)
    return np.fromiter((int.from_bytes(digest[:4]) % HELD_OUT == 0 for digest in digests), bool, len(texts))


def _versions() -> dict[str, str]:
    import sklearn

    return {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__}


def main() -> None:
    """Read, measure, train on all, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="Where the weights go; the desk looks in HOME/models/sentiment.npz.")
    parser.add_argument("--seed", type=int, default=1, help="Of the split.")
    asked = parser.parse_args()
    known = [example for path in asked.data for example in examples(path)]
    labels, table = [example.label for example in known], seen([example.passage for example in known])
    print(f"{len(known):,} texts: " + ", ".join(f"{name} {count / len(known):.1%}" for name, count in sorted(Counter(labels).items())))
    aside = split([example.passage.text for example in known], asked.seed)
    kept, held = np.flatnonzero(~aside), np.flatnonzero(aside)
    tried = fit([table[i] for i in kept], [labels[i] for i in kept], {})
    found = quality([labels[i] for i in held], predicted(tried, [table[i] for i in held]))
    print(f"held out ({len(held):,} texts, seed {asked.seed}): accuracy {found.accuracy:.3f}, macro-F1 {found.macro_f1:.3f}")
    data = [{"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in asked.data]
    measured = {"accuracy": round(found.accuracy, 4), "macro_f1": round(found.macro_f1, 4), "texts": len(held)}
    card = {"data": data, "seed": asked.seed, "texts": len(known), "held_out": measured, "versions": _versions()}
    fit(table, labels, card).save(asked.out)
    print(f"written to {asked.out}. Weights inherit what the licences of your data ask: some forbid commerce, or passing them on.")


if __name__ == "__main__":
    main()
