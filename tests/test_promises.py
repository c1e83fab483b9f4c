"""Every promise of docs/safety.md is held by tests that exist, and every tie leads to a promise."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROMISED = re.findall(r"^- \*\*([a-z-]+)\*\*:", (ROOT / "docs/safety.md").read_text("utf-8"), re.MULTILINE)
TIES: dict[str, list[str]] = tomllib.loads((ROOT / "tests/promises.toml").read_text("utf-8"))["promises"]


def test_promises_and_ties_are_the_same_list() -> None:
    """Neither a promise without a test nor a test for a promise that nobody made."""
    assert PROMISED
    assert sorted(TIES) == sorted(PROMISED)


def test_every_tie_names_a_test_that_exists() -> None:
    """`file::function`, found in the source."""
    missing = []
    for promise, tests in TIES.items():
        assert tests, f"{promise} has no test"
        for test in tests:
            file, _, function = test.partition("::")
            path = ROOT / "tests" / file
            if not path.is_file() or f"def {function}(" not in path.read_text("utf-8"):
                missing.append(f"{promise}: {test}")
    assert missing == []
