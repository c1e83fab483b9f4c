"""What the user's pages say of the news desk is what the program has: commands, settings, variables, rules, faults, goals."""

import re
from pathlib import Path

import click
import pytest

from trading_bot import config
from trading_bot.cli.root import cli
from trading_bot.domain.news import EscalationRule, Tier
from trading_bot.llm import deepseek
from trading_bot.news.feeds import alpha_vantage, newsapi
from trading_bot.news.reading import LEAST_HOURS
from trading_bot.plugins import NEWS
from trading_bot.sandbox.news.faults import FAULTS
from trading_bot.sandbox.news.service import PATHS
from trading_bot.yaml_text import read

ROOT = Path(__file__).resolve().parents[1]
NEWS_PAGE = (ROOT / "docs/news.md").read_text("utf-8")
SANDBOX = (ROOT / "docs/sandbox.md").read_text("utf-8").partition("## News\n")[2].partition("\n## ")[0]
README = (ROOT / "README.md").read_text("utf-8").partition("## The news desk\n")[2].partition("\n## ")[0]
PRESETS = read((ROOT / "src/trading_bot/news/feeds/presets.yaml").read_text("utf-8"), "presets")[0]


def commands(text: str) -> set[tuple[str, ...]]:
    """Commands of a page's shell blocks, as they are typed."""
    blocks = "".join(re.findall(r"```(?:ba)?sh\n(.*?)```", text, re.DOTALL))
    lines = re.findall(r"python -m trading_bot ([^#\n]+)", blocks)
    return {tuple(line.split()) for line in lines}


def parsed(words: tuple[str, ...]) -> None:
    """Take a command apart as the command line would; click.UsageError if there is no such command or option."""
    group: click.Command = cli
    context = click.Context(cli)
    rest = list(words)
    while isinstance(group, click.Group):
        name, found, rest = group.resolve_command(context, rest)
        assert found is not None
        group, context = found, click.Context(found, info_name=name, parent=context)
    group.make_context(words[-1], rest, parent=context.parent)


@pytest.mark.parametrize("words", sorted(commands(NEWS_PAGE) | commands(README)))
def test_every_command_can_be_typed_as_it_stands(words: tuple[str, ...]) -> None:
    """With its options and arguments."""
    parsed(words)


def test_every_command_of_the_news_desk_is_on_a_page() -> None:
    """In a block, or in backticks."""
    group = cli.get_command(click.Context(cli), "news")
    assert isinstance(group, click.Group)
    shown = {words[1] for words in commands(NEWS_PAGE) | commands(README) if words[0] == "news"}
    assert shown | set(re.findall(r"`news ([a-z]+)", NEWS_PAGE)) == set(group.list_commands(click.Context(group)))


def test_every_setting_on_the_page_exists() -> None:
    """By its dotted name."""
    tree = config.load(None, {}).model_dump()
    named = set(re.findall(r"`((?:news|ollama|deepseek|redis|budget|risk|storage)\.[a-z_.]+[a-z_])\b", NEWS_PAGE))
    assert named
    assert {name for name in named if not _has(tree, name.split("."))} == set()


def _has(tree: object, path: list[str]) -> bool:
    return not path or (isinstance(tree, dict) and path[0] in tree and _has(tree[path[0]], path[1:]))


def test_every_variable_has_its_row() -> None:
    """Of keys in code, of presets, and of their advice."""
    table = NEWS_PAGE[NEWS_PAGE.index("| variable | for |") :].partition("\n\n")[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    of_presets = {variable for preset in PRESETS.values() for variable in preset.get("keys", {}).values()}
    advised = {name for preset in PRESETS.values() for name in re.findall(r"[A-Z]+_[A-Z]+", preset.get("advice", ""))}
    keys = {newsapi.KEY, alpha_vantage.KEY, deepseek.KEY, "ALPACA_API_KEY", "ALPACA_SECRET_KEY"}
    assert told == keys | of_presets | advised


def test_rules_ends_tiers_and_presets_on_the_page_are_those_of_the_program() -> None:
    """The five reasons, each once; tiers by name; presets that are named exist."""
    section = NEWS_PAGE.partition("## What climbs")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section.partition("reasons: ")[2].partition(". ")[0])) == set(EscalationRule)
    assert "one of five reasons" in section
    assert {"newsapi", "alpha_vantage", "alpaca", "reddit", "sec", "sec_press"} <= set(PRESETS)
    assert f"entry point group `{NEWS.group}`" in NEWS_PAGE
    assert f"from {LEAST_HOURS} such hours on" in NEWS_PAGE
    assert {tier for tier in Tier if f"{tier}" in NEWS_PAGE.lower()} == set(Tier)


def test_the_emulated_feeds_are_described_with_all_their_faults() -> None:
    """Kinds, faults, options and port."""
    table = SANDBOX[SANDBOX.index("| of | faults |") :].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", table) == list(FAULTS)
    assert f"# of {', '.join(PATHS)}, any" in SANDBOX
    group = cli.get_command(click.Context(cli), "sandbox")
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), "news")
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"--[a-z]+", SANDBOX)) | {"--port"} == options
    port = next(parameter.default for parameter in command.params if parameter.name == "port")
    assert f"(port {port})" in SANDBOX


def test_the_goals_of_speed_are_those_of_the_benchmark() -> None:
    """As `scripts/bench_news.py` judges them."""
    text = (ROOT / "scripts/bench_news.py").read_text("utf-8")
    goals = re.search(r"GOAL_WHOLE, GOAL_QUEUE, GOAL_MEMORY, GOAL_SIGNAL, GOAL_GROWTH = (\S+), (\S+), (\S+), (\S+), ", text)
    assert goals is not None
    whole, queue, memory, signal = (float(goal.replace("_", "")) for goal in goals.groups())
    section = " ".join(NEWS_PAGE.partition("## How fast")[2].split())
    assert f"{whole:.0f} articles a second from" in section
    assert f"{queue:,.0f} a second through queue and store" in section
    assert f"less than {memory:.0f} MB" in section
    assert f"within {signal * 1000:.0f} ms" in section


def test_every_script_on_the_page_is_there() -> None:
    """By its path."""
    named = set(re.findall(r"python (scripts/\w+\.py)", NEWS_PAGE))
    assert named == {"scripts/train_sentiment.py", "scripts/bench_sentiment.py", "scripts/bench_news.py"}
    assert all((ROOT / path).is_file() for path in named)
