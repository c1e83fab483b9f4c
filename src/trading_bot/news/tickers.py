"""Which symbols of the universe a text is about, and why it is held to be.

Promises the strongest reason for each symbol: its source's tag, a cashtag, an exchange before it, its name at the borders of words, its
bare ticker where that is no common word. One pass over the words. Refuses symbols outside the universe, whatever a text calls them, and
names that are ordinary words (`visa requirements`, `target price`) unless their neighbours say that a company is meant.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trading_bot.domain.news import Mention, MentionReason
from trading_bot.domain.values import Symbol
from trading_bot.news.clean import folded
from trading_bot.news.names import WORD, Names, Phrase, phrases

_RANK = {reason: rank for rank, reason in enumerate(MentionReason)}
_PAIR = re.compile(r"(?P<base>[A-Z0-9]{2,12}?)(?P<apart>[/_-]?)(?P<quote>USDT|USDC|USD|EUR|PERP)\Z")
_QUOTES = ("", "USD", "USDT", "USDC", "PERP")
_SEPARATORS = re.compile(r"[./_-]")
_SYMBOL = r"[A-Z][A-Z0-9]{0,14}(?:[./-][A-Z]{1,4})?"
_CASHTAG = re.compile(rf"(?<![\w$])\$(?P<symbol>{_SYMBOL}|[a-z]{{3,5}})(?![\w$])")
_EXCHANGE = re.compile(
    rf"\b(?:NYSE|Nyse|NASDAQ|Nasdaq|NasdaqG[SM]|NasdaqCM|AMEX|BATS|Cboe|CBOE|CRYPTO)(?: ?(?:American|Arca|ARCA|AMERICAN|MKT|GS|GM|CM))?"
    rf"\s?:\s?\$?(?P<symbol>{_SYMBOL})(?!\w)"
)
_IN_PARENTHESES = re.compile(r"\(\s?\$?(?P<symbol>[A-Z]{2,5}(?:[./-][A-Z])?)\s?[),;]")
_MONEY = frozenset({"M", "B", "K", "T", "MM", "BN"})
"""$M is millions."""
_GAP = frozenset(" &-.'\u2019!/")
_OWN = frozenset("'\u2019")
_PUNCTUATION = frozenset(".,;:!?)")
_BEFORE = frozenset({("shares", "of"), ("Shares", "of"), ("stock", "of")})
_FEWEST_SHOUTED = 4


@dataclass(frozen=True)
class _Entry:
    """One way to write what means `symbols`; none means that nobody of the list is meant."""

    words: Phrase
    symbols: tuple[Symbol, ...]
    reason: MentionReason = MentionReason.NAME
    support: frozenset[str] | None = None
    """Words one of which has to follow."""


class Tickers:
    """Finds mentions. `names` may know more symbols than the universe: their names are then nobody's."""

    def __init__(self, universe: Iterable[Symbol], names: Names) -> None:
        symbols = tuple(universe)
        self._names = names
        self._symbols = _by_key(symbols, names.coins)
        self._entries = _index(_entries(symbols, names, self._symbols))

    def mentions(self, title: str, text: str, tagged: Sequence[str]) -> tuple[Mention, ...]:
        """Return who `title` and `text`, both clean, are about, best reason first; `tagged` is what the source says."""
        found: dict[Symbol, MentionReason] = {}
        for symbol, reason in self._all(title, text, tagged):
            if _RANK[reason] < _RANK.get(found.get(symbol, reason), 0) or symbol not in found:
                found[symbol] = reason
        ranked = sorted(found.items(), key=lambda item: _RANK[item[1]])
        return tuple(Mention(symbol=symbol, reason=reason) for symbol, reason in ranked)

    def _all(self, title: str, text: str, tagged: Sequence[str]) -> Iterator[tuple[Symbol, MentionReason]]:
        for tag in tagged:
            yield from self._known(tag.upper().strip().removeprefix("$").rpartition(":")[2], MentionReason.SOURCE)
        for part in (folded(title), folded(text)):
            yield from self._written(part)
            yield from self._spoken(part)

    def _known(self, symbol: str, reason: MentionReason) -> Iterator[tuple[Symbol, MentionReason]]:
        return ((known, reason) for known in self._symbols.get(_SEPARATORS.sub("", symbol), ()))

    def _written(self, text: str) -> Iterator[tuple[Symbol, MentionReason]]:
        """What is written as a symbol."""
        if "$" in text:
            tags = (found["symbol"] for found in _CASHTAG.finditer(text))
            yield from (hit for tag in tags if tag not in _MONEY for hit in self._known(tag.upper(), MentionReason.CASHTAG))
        if ":" in text:
            listed = (found["symbol"] for found in _EXCHANGE.finditer(text))
            yield from (hit for symbol in listed for hit in self._known(symbol, MentionReason.EXCHANGE))
        if "(" in text:
            enclosed = (found["symbol"] for found in _IN_PARENTHESES.finditer(text))
            yield from (hit for s in enclosed if s not in self._names.written for hit in self._known(s, MentionReason.TICKER))

    def _spoken(self, text: str) -> Iterator[tuple[Symbol, MentionReason]]:
        """What is called by name, or by its bare ticker."""
        line = _Line(text)
        free = 0
        for at in [at for at, word in enumerate(line.words) if word in self._entries]:
            entry = next((e for e in self._entries[line.words[at]] if line.has(e.words, at)), None) if at >= free else None
            if entry is not None:
                free = at + len(entry.words)
                doubted = entry.reason is MentionReason.TICKER and line.is_shouted
                if not doubted and (entry.support is None or _is_supported(entry, line, at)):
                    yield from ((symbol, entry.reason) for symbol in entry.symbols)


class _Line:
    """A text's words, and what stands between them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = WORD.findall(text)

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return [found.span() for found in WORD.finditer(self.text)]

    @cached_property
    def is_shouted(self) -> bool:
        """Whether most of it is in capitals: there a bare ticker says nothing."""
        capitals = sum(1 for word in self.words if word.isupper() and len(word) > 1)
        return capitals >= _FEWEST_SHOUTED and 2 * capitals > len(self.words)

    def word(self, at: int) -> str:
        """One word, empty beyond either end."""
        return self.words[at] if 0 <= at < len(self.words) else ""

    def gap(self, at: int) -> str:
        """What stands before the word `at`."""
        start = self._spans[at - 1][1] if at else 0
        return self.text[start : self._spans[at][0]] if at < len(self.words) else self.text[start:]

    def has(self, phrase: Phrase, at: int) -> bool:
        """Whether the words from `at` on are those of `phrase`, with nothing between them that ends a thought."""
        if len(phrase) == 1:
            return True
        if self.word(at + 1) != phrase[1]:
            return False
        end = at + len(phrase)
        return tuple(self.words[at:end]) == phrase and all(_GAP.issuperset(self.gap(k)) for k in range(at + 1, end))


def _is_supported(entry: _Entry, line: _Line, at: int) -> bool:
    """Whether the neighbours of a name that is an ordinary word too say that the company is meant."""
    end = at + len(entry.words)
    after, between = line.word(end), line.gap(end)
    if entry.support is not None and after.lower() in entry.support and between == " ":
        return True
    if entry.reason is MentionReason.TICKER:
        return False
    if (after in {"s", "S"} and between in _OWN) or (after in entry.symbols and "(" in between):
        return True
    return (line.word(at - 2), line.word(at - 1)) in _BEFORE or _is_in_a_sentence(line, at, end)


def _is_in_a_sentence(line: _Line, at: int, end: int) -> bool:
    """A capital between words without one: there an ordinary word would have none either."""
    if not line.word(at - 1).islower() or line.gap(at) != " ":
        return False
    after = line.word(end)
    return not after or after.islower() or line.gap(end)[:1] in _PUNCTUATION


def _by_key(universe: Iterable[Symbol], coins: Mapping[str, object]) -> dict[str, tuple[Symbol, ...]]:
    """Symbols by every spelling of theirs, without separators: BRKB, BTC, BTCUSDT."""
    keys: dict[str, tuple[Symbol, ...]] = {}
    for symbol in universe:
        base = _base(symbol, coins)
        spellings = {_SEPARATORS.sub("", symbol)} | ({base + quote for quote in _QUOTES} if base else set())
        for key in spellings:
            keys[key] = (*keys.get(key, ()), symbol)
    return keys


def _base(symbol: str, coins: Mapping[str, object]) -> str | None:
    """The coin of a pair, None for a stock."""
    pair = _PAIR.match(symbol)
    is_pair = pair is not None and (pair["base"] in coins or pair["apart"] != "" or pair["quote"] in {"USDT", "USDC"})
    return pair["base"] if pair is not None and is_pair else None


def _entries(universe: Iterable[Symbol], names: Names, symbols: Mapping[str, tuple[Symbol, ...]]) -> Iterator[_Entry]:
    support = names.nouns | names.verbs
    for section in (names.companies, names.funds, names.coins):
        for key, called in section.items():
            meant = symbols.get(_SEPARATORS.sub("", key), ())
            for name in called:
                weak, ways = phrases(name)
                yield from (_Entry(words, meant, support=support if weak else None) for words in ways)
    for name in names.nobody:
        yield from (_Entry(words, ()) for words in phrases(name)[1])
    common = names.shouted | names.written | names.coins.keys()
    written = dict.fromkeys(tuple(WORD.findall(symbol)) for symbol in universe) | {(key,): None for key in symbols}
    for words in written:
        key = "".join(words)
        if key not in common and len(key) > 1:
            short = len(key) == 2  # noqa: PLR2004 - BA is a degree too
            yield _Entry(words, symbols[key], MentionReason.TICKER, names.nouns if short else None)


def _index(entries: Iterable[_Entry]) -> dict[str, tuple[_Entry, ...]]:
    """Entries by their first word, longest first; what is written alike (Alphabet) is one entry that means all."""
    merged: dict[Phrase, _Entry] = {}
    for entry in entries:
        known = merged.get(entry.words)
        if known is None or (known.reason is MentionReason.NAME and entry.reason is MentionReason.TICKER and not known.symbols):
            merged[entry.words] = entry
        elif known.reason is entry.reason:
            both = tuple(dict.fromkeys((*known.symbols, *entry.symbols)))
            merged[entry.words] = _Entry(entry.words, both, entry.reason, known.support and entry.support)
    index: dict[str, tuple[_Entry, ...]] = {}
    for entry in sorted(merged.values(), key=lambda one: -len(one.words)):
        index[entry.words[0]] = (*index.get(entry.words[0], ()), entry)
    return index
