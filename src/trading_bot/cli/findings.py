"""What one check of `doctor` saw."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line: passed or failed, what was seen, and the fix."""

    name: str
    passed: bool
    seen: str
    fix: str = ""
