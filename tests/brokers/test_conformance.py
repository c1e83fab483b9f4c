"""The broker port's promises, tried on every venue; and liars, so that each promise is known to be able to break."""

from trading_bot.sandbox.conformance import PROMISES, Standing, check
from trading_bot.sandbox.conformance.paper_bench import paper_bench


def test_the_paper_venue_keeps_every_promise_that_applies() -> None:
    """Only what needs keys, a network or a stream does not apply to it."""
    report = check(paper_bench())
    assert report.kept, report.text()
    assert {r.number for r in report.of(Standing.NOT_HERE)} == {"P67", "P68", *(f"P{n}" for n in range(71, 82))}


def test_promises_are_numbered_sentences() -> None:
    """Each number once, each with a sentence that ends."""
    assert len({p.number for p in PROMISES}) == len(PROMISES)
    assert all(p.sentence.endswith(".") for p in PROMISES)
