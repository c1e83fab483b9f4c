"""Bars that were imported into the store are the bars of the files they came from."""

from pathlib import Path

import pandas as pd
import pytest

from trading_bot import config
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource
from trading_bot.sources.stored import StoredSource
from trading_bot.storage.bars import BarStore

NVDA = Symbol("NVDA")
SETTINGS = config.load()


def test_a_stored_source_answers_as_the_files_did(shared: Path, tmp_path: Path) -> None:
    """NVDA over its split: the same bars, actions and quotes."""
    files = FileSource(
        [FileSettings(path=shared / "data" / "us_daily_core")],
        lambda s: instrument_of(SETTINGS, s),
        open_calendar,
        SETTINGS.source.spread_bps,
    )
    store = BarStore(tmp_path)
    store.write(files.bars(NVDA, Timeframe.DAY))
    store.write_actions(NVDA, files.actions(NVDA))
    stored = StoredSource(store, lambda s: instrument_of(SETTINGS, s), SETTINGS.source.spread_bps)
    pd.testing.assert_frame_equal(
        stored.bars(NVDA, Timeframe.DAY).frame, files.bars(NVDA, Timeframe.DAY).frame, check_freq=False, check_names=False
    )
    assert stored.actions(NVDA) == files.actions(NVDA)
    moment = pd.Timestamp("2024-06-10T15:00Z").to_pydatetime()
    assert stored.quote(NVDA, moment) == files.quote(NVDA, moment)


def test_a_symbol_that_was_not_stored_is_missing_and_the_error_says_what_is_there(tmp_path: Path) -> None:
    """Missing is not empty."""
    stored = StoredSource(BarStore(tmp_path), lambda s: instrument_of(SETTINGS, s), SETTINGS.source.spread_bps)
    with pytest.raises(NoDataError, match=r"`bars import` adds some"):
        stored.timeframes(NVDA)
