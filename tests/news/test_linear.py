"""The linear model: trained by its script from a user's texts, read by numpy alone."""

import csv
import hashlib
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from trading_bot.domain.errors import ModelUnavailableError
from trading_bot.domain.news import Tier
from trading_bot.news.features import features
from trading_bot.news.lexicon import Evidence, Lexicon
from trading_bot.news.linear import FORMAT, Linear, Weights
from trading_bot.ports.news import Passage

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "train_sentiment.py"
WHO = ("Acme", "Bolt", "Cogs", "Dyno", "Echo", "Flux", "Gale", "Hive")
SAID = {
    "positive": ("grobbles happily", "is zingy today", "wins the grobble"),
    "negative": ("snarks badly", "is blimy today", "loses the snark"),
    "neutral": ("meets in Rome", "has an office", "opens at nine"),
}
"""Words that no lexicon knows, so that what is right was learned."""


def train(data: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    command = [sys.executable, str(SCRIPT), str(data), "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A data file, the weights made from it, and what the script said."""
    folder = tmp_path_factory.mktemp("training")
    data, out = folder / "own.csv", folder / "models" / "sentiment.npz"
    with data.open("w", encoding="utf-8", newline="") as file:
        told = csv.writer(file)
        told.writerow(["text", "label"])
        told.writerows([f"{who} {words}", label] for label, said in SAID.items() for who, words in product(WHO, said))
    done = train(data, out)
    assert done.returncode == 0, done.stderr
    return data, out, done.stdout


def test_the_script_says_balance_and_held_out_quality_and_writes_what_it_was_made_from(trained: tuple[Path, Path, str]) -> None:
    """Data by hash, seed and versions stand in the file."""
    data, out, said = trained
    assert "72 texts: negative 33.3%, neutral 33.3%, positive 33.3%" in said
    assert "macro-F1" in said
    assert "licences" in said
    card = Weights.load(out).card
    assert card["data"] == [{"file": "own.csv", "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}]
    assert (card["seed"], card["texts"], card["format"]) == (1, 72, FORMAT)
    assert card["versions"]["numpy"] == np.__version__
    assert card["held_out"]["macro_f1"] > 0.8


def test_what_was_learned_is_answered_the_same_each_time(trained: tuple[Path, Path, str]) -> None:
    """The sign of a score is the class, and 0 is neutral."""
    asked = [Passage("Zeta grobbles happily"), Passage("Zeta snarks badly"), Passage("Zeta meets in Rome"), Passage("")]
    model = Linear(trained[1], Lexicon())
    answers = model.judge(asked)
    assert [(answer.score > 0) - (answer.score < 0) for answer in answers[:3]] == [1, -1, 0]
    assert {(answer.tier, answer.model) for answer in answers} == {(Tier.LINEAR, "linear")}
    assert all(1 / 3 <= answer.confidence <= 1 for answer in answers)
    assert model.price() == 0
    assert [Linear(trained[1], Lexicon()).judge([passage])[0] for passage in asked] == list(answers)


def test_a_file_that_cannot_be_believed_leaves_the_tier_below_to_answer(trained: tuple[Path, Path, str], tmp_path: Path) -> None:
    """Missing, cut, foreign, of another lexicon, or with what is no number; each says what to do."""
    path, whole = tmp_path / "sentiment.npz", trained[1].read_bytes()
    model = Linear(path, Lexicon())
    weights = Weights.load(trained[1])

    def refused(reason: str) -> None:
        with pytest.raises(ModelUnavailableError, match=reason):
            model.judge([Passage("Profit rose")])

    refused("is not there: make it with scripts/train_sentiment.py")
    for damaged in (b"", b"not weights", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        refused("is damaged or no weights of this model")
    with path.open("wb") as file:
        np.savez(file, other=np.zeros(3))
    refused("is damaged or no weights of this model")
    with path.open("wb") as file:
        np.savez(file, table=weights.table, bias=weights.bias, card=np.frombuffer(b'{"format": "another"}', np.uint8))
    refused("holds no weights of")
    with path.open("wb") as file:
        card = f'{{"format": "{FORMAT}", "lexicon": "0"}}'.encode()
        np.savez(file, table=weights.table, bias=weights.bias, card=np.frombuffer(card, np.uint8))
    refused("trained beside another lexicon")
    Weights(weights.table * np.float32("nan"), weights.bias, {}).save(path)
    refused("no numbers")
    path.write_bytes(whole)
    assert model.judge([Passage("Zeta grobbles happily")])[0].score > 0


def test_data_of_an_unknown_kind_is_refused_by_name(tmp_path: Path) -> None:
    """Nothing is written."""
    data, out = tmp_path / "odd.csv", tmp_path / "sentiment.npz"
    data.write_text("a,b\n1,2\n", encoding="utf-8")
    done = train(data, out)
    assert done.returncode == 1
    assert "odd.csv: no columns that are known here" in done.stderr
    data.write_text("text,label\nProfit rose,splendid\n", encoding="utf-8")
    done = train(data, out)
    assert done.returncode == 1
    assert "unknown label 'splendid'" in done.stderr
    assert not out.exists()


def test_whom_a_passage_is_about_is_masked() -> None:
    """A model learns words, not companies."""
    lexicon = Lexicon()
    seen = [
        features(passage, lexicon.evidence(passage)) for passage in (Passage("Acme wins", None, "Acme"), Passage("Bolt wins", None, "Bolt"))
    ]
    assert [part.tolist() for part in seen[0]] == [part.tolist() for part in seen[1]]


def test_what_the_model_sees_changes_only_together_with_the_format() -> None:
    """Weights that lie in homes were made for these very numbers: whoever changes them gives FORMAT another number."""
    passages = [
        Passage("Acme's Q2 profit fell 5% to $1.2 bn, vs. $1.3 bn; Bolt soars?", None, "Acme"),
        Passage("Kosten — 3,5 % höher", None, ""),
    ]
    evidence = Evidence(good=1.5, bad=0.25, hedged=False, question=True)
    seen = [part.astype("<f8").tobytes() for passage in passages for part in features(passage, evidence)]
    assert (FORMAT, hashlib.sha256(b"".join(seen)).hexdigest()[:16]) == ("trading-bot sentiment 1", SEEN)


SEEN = "83db3b141c4fbff3"
