"""One line for each run of the binary, in `logs/llm/YYYYMMDD.jsonl` of the home: what was asked, used, answered and paid.

Promises that a line is written in one piece, readable by this user alone. The log is for people and machines to read; nothing
of the desk reads it back.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_bot.domain.errors import StorageError
from trading_bot.domain.values import canonical_json


def write(folder: Path, at: datetime, line: dict[str, Any]) -> None:
    """Append `line`, stamped with wall time `at`, to the day's file. StorageError if that is impossible."""
    data = canonical_json({"at": at.isoformat(timespec="milliseconds"), **line}) + "\n"
    path = folder / f"{at:%Y%m%d}.jsonl"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            left = data.encode()
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        msg = f"{path}: the log of model calls cannot be written: {error}"
        raise StorageError(msg) from error
