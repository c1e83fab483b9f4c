"""How often the embedded tiers are right, beside VADER and always-neutral, and how fast they are. `make bench` installs the peers.

    python scripts/bench_sentiment.py [--peers .venv-peers/bin/python] [--data ../shared/data/sentiment]

Every set is halved by a hash of its lower-cased texts, so that a text is on one side only. The lexicon's missing words were looked for on
the first halves alone, and the linear models are trained on first halves alone; every figure is of the second halves. `linear` was trained
on the first halves of all sets, `linear, other sets` on those of the other sets only. A FiQA score nearer to 0 than 0.15 is neutral;
VADER's classes are cut at 0.05 as its authors advise. A figure that misses its goal says so.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from train_sentiment import Example, Quality, examples, fit, predicted, quality, rows, seen

from trading_bot.news.lexicon import Lexicon
from trading_bot.news.stories import bands, signature

ROOT = Path(__file__).resolve().parents[1]
FILES = {"phrasebank": "fpb_60pct.csv", "fiqa": "fiqa_train.csv", "twitter": "twitter_fin_news_60pct.csv", "sentfin": "sentfin_60pct.csv"}
AGREED = 75
"""Per cent of annotators that the second row of Financial PhraseBank asks for."""
PASSAGES_PER_SECOND = 3_000
STORY_MILLISECONDS = 0.15
_VADER = """
import json, sys
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
judge = SentimentIntensityAnalyzer().polarity_scores
print(json.dumps([judge(text)["compound"] for text in json.load(sys.stdin)]))
"""


def first_half(text: str) -> bool:
    """Whether a text is among those on which words were looked for and models trained."""
    return hashlib.sha256(text.lower().encode()).digest()[0] % 2 == 0


def sign(score: float, within: float = 0.0) -> str:
    """Return the class of a score."""
    return "positive" if score > within else "negative" if score < -within else "neutral"


def vader(python: Path, texts: Sequence[str]) -> list[str]:
    """Return the classes of the peer."""
    command, asked = [str(python), "-c", _VADER], json.dumps(texts)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode:
        sys.exit(f"vader failed:\n{done.stderr[-2000:]}")
    return [sign(score, 0.05) for score in json.loads(done.stdout)]


def lexicon(known: Sequence[Example]) -> list[str]:
    """Return the classes of the lexicon."""
    return [sign(answer.score) for answer in Lexicon().judge([one.passage for one in known])]


def linear(learned: Sequence[Example], known: Sequence[Example]) -> list[str]:
    """Return the classes of a model that was trained on `learned`."""
    weights = fit(seen([one.passage for one in learned]), [one.label for one in learned], {})
    return predicted(weights, seen([one.passage for one in known]))


def told(name: str, who: str, found: Quality) -> None:
    """Print one row."""
    classes = "  ".join(f"{label[:3]} {value:.3f}" for label, value in found.by_class.items())
    print(f"{name:<18}{who:<20} accuracy {found.accuracy:.3f}  macro-F1 {found.macro_f1:.3f}  {classes}", flush=True)


def halves(folder: Path) -> tuple[dict[str, list[Example]], dict[str, list[Example]]]:
    """Return first and second halves of all sets."""
    known = {name: examples(folder / file) for name, file in FILES.items()}
    first = {name: [one for one in part if first_half(one.passage.text)] for name, part in known.items()}
    return first, {name: [one for one in part if not first_half(one.passage.text)] for name, part in known.items()}


def agreed(folder: Path) -> frozenset[str]:
    """Return the texts of Financial PhraseBank that most annotators saw alike."""
    return frozenset(row["sentence"] for row in rows(folder / FILES["phrasebank"]) if int(row["agreement"]) >= AGREED)


def answers(python: Path, first: Mapping[str, list[Example]], second: Mapping[str, list[Example]]) -> dict[str, dict[str, list[str]]]:
    """Return what everybody says of every second half."""
    whole, found = [one for part in first.values() for one in part], {}
    order = [one for part in second.values() for one in part]
    every = {"vader": vader(python, [one.passage.text for one in order]), "lexicon": lexicon(order), "linear": linear(whole, order)}
    at = 0
    for name, part in second.items():
        others = [one for other, learned in first.items() if other != name for one in learned]
        here = {who: said[at : at + len(part)] for who, said in every.items()}
        found[name] = {"always neutral": ["neutral"] * len(part), **here, "linear, other sets": linear(others, part)}
        at += len(part)
    return found


def accuracy(python: Path, folder: Path) -> None:
    """Print the table, and whether the goals are met."""
    first, second = halves(folder)
    alike = agreed(folder)
    for name, said in answers(python, first, second).items():
        subsets = {name: [True] * len(second[name])}
        if name == "phrasebank":
            subsets[f"{name} >={AGREED}%"] = [one.passage.text in alike for one in second[name]]
        for title, mask in subsets.items():
            labels = [one.label for one, kept in zip(second[name], mask, strict=True) if kept]
            scores = {who: quality(labels, [x for x, kept in zip(given, mask, strict=True) if kept]) for who, given in said.items()}
            print(f"-- {title}: {len(labels):,} texts")
            for who, found in scores.items():
                told(title, who, found)
            rising = [scores[who].macro_f1 for who in ("vader", "lexicon", "linear")]
            print(f"{title:<18}vader < lexicon < linear   {'ok' if rising == sorted(rising) else 'MISSED'}")
    reliability(second)


def reliability(second: Mapping[str, list[Example]]) -> None:
    """Print how often the lexicon is right, by its confidence."""
    order = [one for part in second.values() for one in part]
    bins: dict[int, list[bool]] = {}
    for one, answer in zip(order, Lexicon().judge([one.passage for one in order]), strict=True):
        bins.setdefault(int(answer.confidence * 10), []).append(sign(answer.score) == one.label)
    for tenth, right in sorted(bins.items()):
        print(f"lexicon, confidence {tenth / 10:.1f} to {tenth / 10 + 0.1:.1f}: right {sum(right) / len(right):.3f} of {len(right):,}")


def speed(folder: Path) -> None:
    """Print how fast one core reads."""
    known = [one.passage for file in FILES.values() for one in examples(folder / file)]
    judge = Lexicon().judge
    judge(known[:1000])
    rate = len(known) / _seconds(lambda: judge(known))
    print(f"lexicon: {rate:,.0f} headlines/s (goal {PASSAGES_PER_SECOND:,})   {'ok' if rate >= PASSAGES_PER_SECOND else 'MISSED'}")
    rate = len(known) / _seconds(lambda: seen(known))
    print(f"linear, what it sees: {rate:,.0f} headlines/s")
    pairs = list(zip(known[::2], known[1::2], strict=False))
    each = _seconds(lambda: [bands(signature(a.text, b.text)) for a, b in pairs]) / len(pairs) * 1000
    print(f"stories: {each:.3f} ms an article (goal {STORY_MILLISECONDS})   {'ok' if each <= STORY_MILLISECONDS else 'MISSED'}")


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers" / "bin" / "python", help="Python of the peers' environment.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "sentiment")
    asked = parser.parse_args()
    if not asked.peers.exists():
        sys.exit(f"{asked.peers} is not there: run `make bench`, or name the Python of an environment with scripts/peers.txt installed")
    speed(asked.data)
    accuracy(asked.peers, asked.data)


if __name__ == "__main__":
    main()
