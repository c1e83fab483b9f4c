"""Cleaning: what a stranger sends becomes one line without markup, entities or anything that cannot be seen."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.news.clean import clean, folded, is_huge, is_mixed, is_veiled

INVISIBLE = "\u200b\u200c\u200d\u2060\u2063\u202e\u2066\ufeff\u00ad\u115f\u3164\u2800\ufe0f\U000e0041\x01\ue000\u034f"


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("<p>One</p><p>two<br>three</p>", "One two three"),
        ("AT&amp;T &lt;up&gt; 5 &lt; 6", "AT&T 5 < 6"),
        ("S&P 500 and R&D", "S&P 500 and R&D"),
        ("a<script>evil()</script><style>p{}</style>b", "ab"),
        ("&lt;script&gt;evil&lt;/script&gt; content", "content"),
        ("&amp;amp;amp; stays one sign", "& stays one sign"),
        ("Te\u200bsla \u202eesir\u202c", "Tesla esir"),
        ("\uff21pple \U0001d408s 10\u00b2 5\u00bd \u2122 \ufb01ne", "Apple Is 10\u00b2 5\u00bd \u2122 fine"),
        ("line\none\ttwo\u2028three\u00a0four", "line one two three four"),
        ("x <b", "x"),
        ("", ""),
    ],
)
def test_text_comes_out_plain_and_on_one_line(raw: str, line: str) -> None:
    """Markup, entities, compatibility forms and what has no shape."""
    assert clean(raw, 300) == line


def test_a_long_text_is_cut_and_says_so() -> None:
    """An ellipsis stands for the rest, within the length."""
    assert clean("word " * 100, 12) == "word word w…"


@given(st.text(max_size=300) | st.text(st.sampled_from(f"<>&;#/ab1! -{INVISIBLE}"), max_size=120), st.integers(2, 300))
def test_cleaning_never_raises_and_changes_nothing_the_second_time(raw: str, most: int) -> None:
    """Whatever is sent: no invisible character, no second line, no more than asked for."""
    line = clean(raw, most)
    assert clean(line, most) == line
    assert len(line) <= most
    assert not any(unicodedata.category(c).startswith("C") or c in INVISIBLE for c in line)
    assert line == " ".join(line.split())
    is_veiled(raw)
    is_huge(raw, line)
    assert folded(folded(line)) == folded(line)


@pytest.mark.parametrize("entity", ["&lt;b&gt;x", "&amp;lt;b&amp;gt;x", "&#38;#60;b&#38;#62;x", "&amp;amp;amp;amp;amp;lt;b&gt;x"])
def test_what_is_escaped_often_ends_without_markup(entity: str) -> None:
    """Whoever escapes five times loses the signs, not the peace."""
    assert "<b" not in clean(entity, 100)


@pytest.mark.parametrize(
    "hidden",
    ["ig\u200bnore", "a\u202eb", "x&#8203;y", "word" + "\u200b" * 8, "hi\U000e0041", "Un\x01ited", "e\u0301\u0302\u0303\u0304\u0305\u0306"],
)
def test_what_nobody_sees_is_told(hidden: str) -> None:
    """Within words, in another order, in numbers."""
    assert is_veiled(hidden)


@pytest.mark.parametrize(
    "usual",
    [
        "\ufeffTitle",
        "co\u00adoperate",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u2764\ufe0f",
        "end\u200b",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_what_decent_text_needs_is_not(usual: str) -> None:
    """A mark of byte order, soft hyphens, families, Persian, flags."""
    assert not is_veiled(usual)


def test_words_of_two_alphabets_are_folded_for_looking_only() -> None:
    """A Latin word with a Cyrillic letter in it; whole Russian or Greek words stay."""
    assert (folded("T\u0435sla \u0422\u0415\u0421\u041b\u0410"), is_mixed("T\u0435sla"), is_mixed("\u03b2-carotene \u0438 Tesla")) == (
        "Tesla \u0422\u0415\u0421\u041b\u0410",
        True,
        False,
    )


@pytest.mark.parametrize(
    ("raw", "huge"),
    [("A" * 80, True), ("x" * 200_001, True), ("https://x.example/" + "a" * 500, False), ("=" * 120, False), ("\u4e00" * 200, False)],
)
def test_words_that_nobody_writes_are_huge(raw: str, huge: bool) -> None:  # noqa: FBT001 - expected
    """Addresses, rules of signs and scripts without spaces are no such words."""
    assert is_huge(raw, clean(raw, 4000)) is huge
