"""Tables about news for people. Titles and names are strangers' words: one line, cut, and never markup."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.domain.news import Article, Escalation, FeedHealth, Reading, Scored
from trading_bot.news.why import Why
from trading_bot.ports import ModelHealth, QueueState

_OUT = Console(highlight=False, markup=False)
_TITLE = 90


def _table(*columns: str) -> Table:
    """A table; a column whose name begins with `>` holds numbers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left", no_wrap=True, overflow="ellipsis")
    return table


def minute(moment: datetime | None) -> str:
    """A time as it is shown."""
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def article_line(article: Article, scores: Iterable[Scored]) -> str:
    """One article that was just read."""
    told = " ".join(f"{s.symbol} {s.sentiment.score:+.2f}" for s in scores) or "-"
    aside = f" [set aside: {', '.join(article.marks)}]" if article.quarantined else ""
    return f"{article.known_at:%H:%M:%S}  {article.feed:<12.12} {told:<28}  {article.title[:_TITLE]}{aside}"


def readings_table(readings: Sequence[Reading]) -> None:
    """What each symbol's news come to."""
    table = _table("symbol", ">score", ">sure", ">backed", ">stories", ">feeds", ">usual", ">deviations", "")
    for r in readings:
        usual = "?" if r.mean is None or r.deviation is None else f"{r.mean:+.2f} ± {r.deviation:.2f}"
        away = "?" if r.deviations is None else f"{r.deviations:+.1f}"
        backed = f"{r.backed:+.2f}" if r.backed_confidence else "-"
        numbers = (f"{r.score:+.2f}", f"{r.confidence:.0%}", backed, str(r.stories), str(r.feeds), usual, away)
        table.add_row(r.symbol, *numbers, "anomaly" if r.anomaly else "")
    _OUT.print(table)


def why_table(found: Why) -> None:
    """A reading taken apart."""
    r = found.reading
    backed = f"backed {r.backed:+.3f}, {r.backed_confidence:.3f}"
    _OUT.print(f"{r.symbol} at {minute(r.as_of)} UTC: {r.score:+.3f}, confidence {r.confidence:.3f}; {backed}")
    if r.mean is not None and r.deviation is not None and r.volatility is not None:
        away = "" if r.deviations is None else f"; {r.deviations:+.1f} deviations away{', an anomaly' if r.anomaly else ''}"
        _OUT.print(f"usual {r.mean:+.3f} ± {r.deviation:.3f}, volatility {r.volatility:.3f}{away}")
    _OUT.print(
        f"share = weight x 0.5 ^ (age / {found.half_life_minutes:.0f} min) / sum of all; score = sum of share x story's score\n",
        soft_wrap=True,
    )
    for story in found.counted:
        backed = "backed" if story.backed else f"{story.feeds} feed{'s' if story.feeds > 1 else ''}"
        numbers = f"share {story.share:6.1%}  score {story.score:+.2f}  weight {story.weight:.2f}  age {story.age_minutes:6.0f} min"
        _OUT.print(f"{numbers}  {backed:<8}  {story.tellings[0].title[:_TITLE]}", soft_wrap=True)
        for told in story.tellings:
            who = f"{minute(told.known_at)}  {told.feed:<12.12} x {told.feed_weight:.2f}  {told.model:<16.16}"
            _OUT.print(
                f"    {who} {told.score:+.2f} sure {told.confidence:.2f}  new {told.novelty:.2f}  {told.title[:_TITLE]}", soft_wrap=True
            )
    for told in found.quarantined:
        _OUT.print(f"set aside ({', '.join(told.marks)}): {told.feed}: {told.title[:_TITLE]}", soft_wrap=True)
    if found.counted and not any(story.backed for story in found.counted):
        _OUT.print(f"nothing is backed: news.corroboration wants {found.corroboration} feeds, so none of this moves a decision or climbs")
    if not found.counted:
        _OUT.print("no story within the window")


def status_lines(state: QueueState, rates: Sequence[tuple[str, str]], feeds: Sequence[FeedHealth], models: Sequence[ModelHealth]) -> None:
    """Queue, rates, feeds, models."""
    oldest = "" if state.oldest is None else f", the oldest received {minute(state.oldest)}"
    _OUT.print(f"queue    {state.waiting} waiting, {state.held} with workers, {state.dead} dead{oldest}")
    for name, told in rates:
        _OUT.print(f"{name:<8} {told}")
    if feeds:
        table = _table("feed", "asked", "answered", ">articles", "note")
        for feed in feeds:
            table.add_row(feed.feed, minute(feed.asked_at), minute(feed.answered_at), str(feed.articles), feed.note[:_TITLE])
        _OUT.print(table)
    if models:
        models_table(models)


def models_table(models: Sequence[ModelHealth]) -> None:
    """Local models and how they do."""
    table = _table("server", "model", "ready", ">asked", ">failed", ">ms", "note")
    for m in models:
        latency = "?" if m.latency_ms is None else f"{m.latency_ms:.0f}"
        table.add_row(m.server, m.model, "yes" if m.ready else "no", str(m.asked), str(m.failed), latency, m.note[:_TITLE])
    _OUT.print(table)


def dead_table(dead: Sequence[tuple[str, str, str]]) -> None:
    """Articles that nobody could read, with the reason."""
    table = _table("feed", "why", "title")
    for feed, why, title in dead:
        table.add_row(feed[:16], why[:_TITLE], title[:_TITLE])
    _OUT.print(table)


def escalation_lines(rows: Sequence[tuple[Escalation, str]]) -> None:
    """What climbed, what it cost, what it changed, what it was worth."""
    for e, worth in rows:
        after = "-" if e.after is None else f"{e.after:+.2f}"
        _OUT.print(f"{minute(e.at)}  {e.symbol:<8} {e.rule} -> {e.tier}: {e.end}; {(e.note or e.detail)[:_TITLE]}", soft_wrap=True)
        _OUT.print(f"    cost {e.cost:.4f} USD  before {e.before:+.2f}  after {after}  worth {worth} USD", soft_wrap=True)
