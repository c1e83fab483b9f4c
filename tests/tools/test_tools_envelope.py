"""Texts of others: cleaned, capped, in their envelope."""

import pytest

from trading_bot.tools.envelope import Untrusted, clean, without_paths, wrap


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Apple Inc.", "Apple Inc."),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("\u202eright to left\u202c", "right to left"),
        ("zero\u200bwidth\u2060and\ufeffmark", "zerowidthandmark"),
        ("\x1b[31mred\x07", "[31mred"),
        ("tags\U000e0041\U000e0042", "tags"),
        ("half \ud800 character", "half character"),
        ("\u2028line\u2029", "line"),
        ("Société Générale 東京 😀", "Société Générale 東京 😀"),
        ("x" * 200_000, "x" * 199 + "…"),
        ("\u200b" * 200_000, ""),
    ],
    ids=["plain", "lines", "bidi", "zero-width", "control", "tags", "surrogate", "separators", "letters", "long", "nothing"],
)
def test_a_text_arrives_on_one_line_without_what_hides(text: str, told: str) -> None:
    """Letters of all the world stay."""
    assert wrap(text) == Untrusted(untrusted_text=told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("could not open /srv/desk/home/journal.db: locked", "could not open [path]: locked"),
        (r"C:\Users\desk\journal.db is damaged", "[path] is damaged"),
        ("look into ~/.config/desk", "look into [path]"),
        ("BTC/USD has no bars; 3/4 of 2024/03/05", "BTC/USD has no bars; 3/4 of 2024/03/05"),
    ],
)
def test_an_error_does_not_tell_where_files_are(text: str, told: str) -> None:
    """Pairs, fractions and dates are no paths."""
    assert without_paths(text, 200) == told


def test_the_cap_is_exact() -> None:
    """A text of just the length stays whole."""
    assert (clean("abc", 3), clean("abcd", 3)) == ("abc", "ab…")
