"""Sentiment from a file is what had been published by each close, and nothing once it is old."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_bot.backtest.sentiment_file import read_sentiment
from trading_bot.domain.errors import DataError, NoDataError
from trading_bot.domain.values import Symbol

AAPL = Symbol("AAPL")
NAN = float("nan")


def closes(*times: str) -> np.ndarray:
    """Moments in ns."""
    return pd.DatetimeIndex(times, tz="UTC").as_unit("ns").asi8


def file(folder: Path, text: str) -> Path:
    """A file of this text."""
    path = folder / "said.csv"
    path.write_text(text, "utf-8")
    return path


def test_each_close_sees_the_newest_score_published_by_then(tmp_path: Path) -> None:
    """At the very moment too; other symbols, other columns and the order of lines do not matter; zones do."""
    path = file(
        tmp_path,
        "time,symbol,score,title\n2024-03-06T09:00:00-05:00,AAPL,-0.5,x\n2024-03-05T21:00:00Z,AAPL,0.25,y\n2024-03-05T22:00:00Z,MSFT,1,z\n",
    )
    moments = closes("2024-03-05 20:59", "2024-03-05 21:00", "2024-03-06 13:59", "2024-03-06 14:00")
    np.testing.assert_array_equal(read_sentiment(path, AAPL, moments), [NAN, 0.25, 0.25, -0.5])


def test_of_scores_of_one_moment_the_lower_line_counts(tmp_path: Path) -> None:
    """It was written later."""
    path = file(tmp_path, "time_utc,symbol,score\n2024-03-05 21:00,AAPL,0.1\n2024-03-05 21:00,AAPL,0.9\n2024-03-05 21:00,AAPL,0.2\n")
    assert read_sentiment(path, AAPL, closes("2024-03-05 21:00")).tolist() == [0.2]


def test_a_score_is_silent_after_five_days(tmp_path: Path) -> None:
    """Nothing said lately is not neutral."""
    path = file(tmp_path, "time,symbol,score\n2024-03-01T12:00:00Z,AAPL,0.5\n")
    moments = closes("2024-03-06 11:59:59", "2024-03-06 12:00")
    np.testing.assert_array_equal(read_sentiment(path, AAPL, moments), [0.5, NAN])
    assert read_sentiment(path, AAPL, moments, days=6).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,symbol\n", r"said\.csv, line 1: there is no column score; the columns are"),
        ("", r"line 1: there is no column time, symbol, score"),
        ("time,symbol,score\n2024-03-05T21:00:00,AAPL,0.5\n", r"line 2: '2024-03-05T21:00:00' has no time zone; add one"),
        ("time,symbol,score\n2024-03-05T21:00:00Z,AAPL,0.5\nyesterday,MSFT,0.5\n", r"line 3: 'yesterday' is no ISO 8601 time"),
        ("time,symbol,score\n2024-03-05T21:00:00Z,AAPL,1.5\n", r"line 2: the score '1\.5' is no number from -1 to 1"),
        ("time,symbol,score\n2024-03-05T21:00:00Z,AAPL,nan\n", r"line 2: the score 'nan'"),
        ("time,symbol,score\n2024-03-05T21:00:00Z,AAPL\n", r"line 2: the score None"),
        ("time,symbol,score\n2024-03-05T21:00:00Z,AAPL,good\n", r"line 2: the score 'good'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    """File, line, and what to write instead."""
    with pytest.raises(DataError, match=message):
        read_sentiment(file(tmp_path, text), AAPL, closes("2024-03-05 21:00"))


def test_a_file_without_the_symbol_and_no_file_at_all_are_refused(tmp_path: Path) -> None:
    """Missing is not neutral."""
    with pytest.raises(NoDataError, match=r"has no score of AAPL"):
        read_sentiment(file(tmp_path, "time,symbol,score\n2024-03-05T21:00:00Z,MSFT,0.5\n"), AAPL, closes("2024-03-05 21:00"))
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_sentiment(tmp_path / "gone.csv", AAPL, closes("2024-03-05 21:00"))
