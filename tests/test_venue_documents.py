"""What docs/brokers.md and docs/sandbox.md say of venues, differences, faults and settings is what the program has."""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from itertools import pairwise
from pathlib import Path

import click
import pytest

from trading_bot.brokers.traits import ALPACA_CRYPTO, ALPACA_EQUITY, BYBIT_LINEAR, BYBIT_SPOT
from trading_bot.cli.root import cli
from trading_bot.config import load
from trading_bot.domain.reconciliation import REACTIONS
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.sandbox.bybit.deeds import DEEDS
from trading_bot.sandbox.conformance.suite import PROMISES
from trading_bot.sandbox.venue_faults import FAULTS, FaultScript, Rule
from trading_bot.yaml_text import read

ROOT = Path(__file__).resolve().parents[1]
PAGES = {name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("brokers", "sandbox", "guardian")}
VENUES = (PAPER, ALPACA_EQUITY, ALPACA_CRYPTO, BYBIT_LINEAR, BYBIT_SPOT)


def rows(page: str, first: str) -> Iterator[list[str]]:
    """Cells of the table whose head begins with `first`."""
    text = PAGES[page]
    table = text[text.index(f"\n| {first} |") + 1 :].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


def blocks(page: str, language: str) -> list[str]:
    """Code on a page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def shown(value: object) -> str:
    """A fact of a venue, in the page's words."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return f"{value.days} days" if value.days else f"{value.total_seconds():g} s"
        case Enum():
            return str(value.value).replace("_", " ")
        case _:
            return str(value)


def test_what_is_said_of_each_venue_is_what_its_traits_say() -> None:
    """Every fact, every venue, in order."""
    told = {name: cells for name, _meaning, *cells in rows("brokers", "fact")}
    assert told == {name: [shown(getattr(traits, name)) for traits in VENUES] for name in VenueTraits.model_fields}


def test_each_difference_is_told_with_its_reaction() -> None:
    """The table is the policy."""
    assert {kind: reaction for kind, _what, reaction in rows("brokers", "difference")} == {str(k): str(r) for k, r in REACTIONS.items()}


def test_every_fault_is_told() -> None:
    """Each once, in order."""
    assert [name for name, *_ in rows("sandbox", "fault")] == list(FAULTS)


def test_every_deed_of_the_emulated_bybit_is_told() -> None:
    """Those of `/__control`."""
    section = PAGES["sandbox"].partition("## By hand")[2].partition("\n## ")[0]
    assert set(DEEDS) <= set(re.findall(r"`(\w+)`", section))


def test_the_faults_that_are_shown_are_taken() -> None:
    """As a user would copy them."""
    shown_rules, _lines = read("".join(blocks("sandbox", "yaml")), "docs/sandbox.md")
    assert isinstance(shown_rules, list)
    script = FaultScript([Rule.model_validate(rule) for rule in shown_rules])
    assert not script.struck


@pytest.mark.parametrize("number", [0, 1])
def test_the_settings_that_are_shown_are_taken(number: int, tmp_path: Path) -> None:
    """A user's file is read with what is written there."""
    file = tmp_path / "config.yaml"
    file.write_text(blocks("brokers", "yaml")[number], "utf-8")
    assert load(file, {}).broker.name == "alpaca"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_on_the_pages_exists(page: str) -> None:
    """Commands of groups too, with the options that follow them."""
    named = re.findall(r"python -m trading_bot ((?:--config \S+ )?[a-z][^`#\n]*)", PAGES[page])
    assert named
    for line in named:
        words = line.split()[2:] if line.startswith("--config") else line.split()
        command: click.Command | None = cli
        while isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_figures_on_the_pages_are_those_of_the_program() -> None:
    """Settings and the length of the suite."""
    config = load(None, {})
    assert f"`alpaca.requests_per_minute` ({config.alpaca.requests_per_minute})" in PAGES["brokers"]
    assert f"`bybit.requests_per_second` ({config.bybit.requests_per_second})" in PAGES["brokers"]
    assert f"\n{len(PROMISES)} numbered promises" in PAGES["sandbox"]


def test_links_between_the_pages_lead_somewhere() -> None:
    """Files and headings."""
    for page, text in PAGES.items():
        for target in re.findall(r"\]\(([^)h][^)]*)\)", text):
            file, _, heading = target.partition("#")
            path = ROOT / "docs" / file if file else ROOT / f"docs/{page}.md"
            assert path.is_file(), target
            headings = [h.strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)]
            assert not heading or heading in headings, target


def test_decisions_are_numbered_without_a_gap() -> None:
    """Each number once."""
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("*.md"))
    assert all(b == a + 1 for a, b in pairwise(numbers))
