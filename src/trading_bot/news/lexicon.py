"""Reads financial news by a lexicon: what moved, whether that is good for a holder, and who says no.

Promises an answer to any text at no cost, the same at each call: the sign of a score is its class (exactly 0 is neutral), and confidence
rises with the share of texts on which that class is right. Direction counts by its object (profit rose, costs rose, loss narrowed), a
figure by the earlier figure it is compared with. Refuses to know facts: it reads English words, not the world. The words themselves, and
where they come from, are in `lexicon.yaml`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from trading_bot.domain.news import Sentiment, Tier
from trading_bot.news.vocabulary import NUMBER, STOPS, Entry, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trading_bot.ports.news import Passage

MOST = 4_000
"""Characters that are read; a news story says what it has to say in its first ones."""
NEUTRAL: Final = 0.65
"""Evidence below it is none."""
HALF = 1.5
"""Evidence at which a score is about 0.7."""
BEFORE, AFTER = 9, 5
"""Words between a movement and what moves."""
FAR = 30
"""Entries over which a comparison reaches."""
NEAR, BESIDE = 4, 2
"""Words over which `not` and `may` reach, and strength."""
HEDGED = 0.7
NEGATED = -0.8
"""`not strong` is bad, and less so than `weak`."""
ELSEWHERE = 0.4
"""Weight of clauses that do not name whom the passage is about, where another does."""
ASKED = 0.6
"""A question says less than a sentence."""
LATER, ASIDE = 0.25, 0.03
"""How much less each further sentence counts, and each further clause."""
SILENT, WEAK, FLOOR, SLOPE, DOUBT = 0.8, 0.55, 0.36, 0.56, 0.05
"""Confidence: of neutral without and with weak evidence; of a class from its score; and what hedges, questions and contradiction take."""


class Unit(NamedTuple):
    """An entry where it stands in a text."""

    entry: Entry
    at: int
    clause: int
    sentence: int
    scope: int
    """Of whom it speaks."""


class Figure(NamedTuple):
    """A number where it stands."""

    value: float
    at: int
    sentence: int


class Reading(NamedTuple):
    """What was found in a text."""

    units: list[Unit]
    figures: list[Figure]
    weights: list[float]
    """Of scopes."""
    named: list[bool]
    """Which scopes name whom the passage is about."""
    question: bool


class Evidence(NamedTuple):
    """What speaks for a holder and what against, and how sure the words themselves are."""

    good: float
    bad: float
    hedged: bool
    question: bool

    @property
    def total(self) -> float:
        """Above 0: good."""
        return self.good - self.bad


class Lexicon:
    """The tier that is always there."""

    tier = Tier.LEXICON
    name = "lexicon"

    def __init__(self) -> None:
        self._words = Vocabulary.shipped()

    def price(self) -> Decimal:
        """Nothing."""
        return Decimal(0)

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each."""
        return [self._sentiment(self.evidence(passage)) for passage in passages]

    def evidence(self, passage: Passage) -> Evidence:
        """Return what its words come to."""
        reading = self._read(passage.text[:MOST], passage.name)
        asked, good, bad = ASKED if reading.question else 1.0, 0.0, 0.0
        found = [*_hits(reading), *_comparisons(reading)]
        aside = ELSEWHERE if any(reading.named[unit.scope] for unit, _ in found) else 1.0
        for unit, value in found:
            here = reading.weights[unit.scope] * (1 if reading.named[unit.scope] else aside)
            counted = value * asked * here / (1 + LATER * unit.sentence + ASIDE * unit.scope)
            good, bad = good + max(counted, 0), bad + max(-counted, 0)
        return Evidence(good, bad, any(unit.entry.role == "hedge" for unit in reading.units), reading.question)

    def _sentiment(self, evidence: Evidence) -> Sentiment:
        total = evidence.total
        score = 0.0 if max(evidence.good, evidence.bad) < NEUTRAL else total / (total * total + HALF) ** 0.5
        return Sentiment(score=score, confidence=_confidence(evidence, score), tier=self.tier, model=self.name)

    def _read(self, text: str, name: str) -> Reading:
        """Find the entries of `text`. A thought ends at a stop or a turn; a comma ends only who is spoken of."""
        vocabulary = self._words
        words, wanted = vocabulary.tokens(text), frozenset(vocabulary.tokens(name)[1:])
        reading = Reading([], [], [1.0], [False], words[-1] == "?")
        at = clause = sentence = place = 0
        while place < len(words):
            word = words[place]
            length, entry = (1, None) if word in STOPS else vocabulary.match(words, place)
            turn = 1.0 if word in STOPS else None if entry is None else entry.turn
            if turn is not None:
                reading.weights.append(turn if word != "," else reading.weights[-1])
                reading.named.append(False)
                clause, sentence, at = clause + (word != ","), sentence + (word in STOPS and word != ","), at + (word in STOPS)
            elif word[0] in NUMBER:
                reading.figures.append(Figure(vocabulary.number(words, place), at, sentence))
            reading.named[-1] = reading.named[-1] or word in wanted
            if entry is not None and not (word in wanted and entry.weight):  # a name says nothing, be it Jubilant
                reading.units.append(Unit(entry, at, clause, sentence, len(reading.weights) - 1))
            place, at = place + length, at + length
        return reading


def _hits(reading: Reading) -> Iterator[tuple[Unit, float]]:
    """Every movement with its object, and every other word that has a weight; modified by what stands around it."""
    units = reading.units
    moved = {number: _object(units, number) for number, unit in enumerate(units) if unit.entry.move}
    taken = {thing for thing in moved.values() if thing is not None}
    for number, unit in enumerate(units):
        if number in moved:
            value = _moved(unit.entry, units[thing].entry if (thing := moved[number]) is not None else None)
        else:
            value = 0.0 if number in taken else unit.entry.weight
        if value:
            yield unit, value * _modified(units, number)


def _moved(entry: Entry, thing: Entry | None) -> float:
    if thing is None or thing.polarity is None:
        return entry.move if entry.alone else entry.weight or entry.move * 0.3
    return entry.move * thing.polarity


def _object(units: list[Unit], number: int) -> int | None:
    """Return what a movement moves: of `profit rose` what is before, of `cut costs` and `fall in profit` what is after."""
    unit = units[number]
    after = next((n for n in range(number + 1, min(len(units), number + BEFORE)) if units[n].entry.polarity is not None), None)
    before = next((n for n in range(number - 1, max(-1, number - BEFORE - 1), -1) if units[n].entry.polarity is not None), None)
    gap = units[after].at - unit.at if after is not None and units[after].clause == unit.clause else BEFORE + AFTER
    back = unit.at - units[before].at if before is not None and units[before].clause == unit.clause else BEFORE + AFTER
    if gap <= (AFTER if not unit.entry.alone else BESIDE):
        return after
    if back <= BEFORE:
        return before
    return after if gap <= AFTER else None


def _modified(units: list[Unit], number: int) -> float:
    """Negation within four words before, strength within two on either side."""
    unit, factor = units[number], 1.0
    for near in range(max(0, number - 3), min(len(units), number + 2)):
        other = units[near]
        gap = unit.at - other.at
        if near == number or other.clause != unit.clause:
            continue
        if other.entry.role == "not" and 0 < gap <= NEAR:
            factor *= NEGATED
        elif other.entry.role == "scale" and abs(gap) <= BESIDE:
            factor *= other.entry.scale
        elif other.entry.role == "hedge" and 0 < gap <= NEAR:
            factor *= HEDGED
    return factor


def _comparisons(reading: Reading) -> Iterator[tuple[Unit, float]]:
    """A figure beside an earlier one: `profit of 5 mn, compared with 3 mn`, `loss of 2 mn, versus a profit`."""
    for number, unit in enumerate(reading.units):
        if unit.entry.role != "than":
            continue
        here = [u for u in reading.units[max(0, number - FAR) : number] if u.sentence == unit.sentence]
        things = [u for u in here if u.entry.polarity]
        if not things or any(u.entry.move for u in here):
            continue
        thing = things[0]
        earlier = next(
            (
                u
                for u in reading.units[number + 1 : number + FAR]
                if u.entry.polarity and u.at - unit.at <= AFTER and u.sentence == unit.sentence
            ),
            None,
        )
        if earlier is not None and (earlier.entry.polarity or 0) * (thing.entry.polarity or 0) < 0:
            yield thing, 1.5 * (thing.entry.polarity or 0)
        elif change := _change(reading.figures, thing, unit):
            yield thing, change * (thing.entry.polarity or 0)


def _change(figures: list[Figure], thing: Unit, than: Unit) -> int:
    """1 where the figure rose, -1 where it fell, 0 where that cannot be told."""
    here = [f for f in figures if f.sentence == than.sentence and f.value == f.value]
    now = [f for f in here if thing.at < f.at < than.at]
    then = [f for f in here if than.at < f.at]
    if not now and len(then) > 1:  # from THEN to NOW
        now, then = then[1:2], then[:1]
    if not now or not then:
        return 0
    return (now[0].value > then[0].value) - (now[0].value < then[0].value)


def _confidence(evidence: Evidence, score: float) -> float:
    """How often a class with such evidence is right."""
    both = evidence.good + evidence.bad
    if score == 0:
        return SILENT if both == 0 else WEAK
    doubt = DOUBT * (evidence.question + evidence.hedged + min(evidence.good, evidence.bad) / both)
    return FLOOR + SLOPE * abs(score) - doubt
