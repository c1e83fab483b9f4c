"""What a folder of cassettes says of the run that they were recorded in: period, universe, settings, models, mask.

Promises that nothing is guessed: a recording by `backtest decisions` and a desk's home say all, a bare folder says what its questions
say, and what is missing is named. Refuses a folder with calls of two masks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from trading_bot.config import Config, recall
from trading_bot.domain.errors import ConfigError, ReplayMissError, ResearchError, StorageError
from trading_bot.domain.values import Digest, Record, Symbol, derive_digest
from trading_bot.llm.cassette import Cassette, Shelf
from trading_bot.market.calendar import NEW_YORK
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

META = "recording.meta"
"""Beside the cassettes; no cassette itself."""


class Meta(Record):
    """What a recording was made with."""

    config: Config
    first: date
    last: date
    mask: int | None

    @property
    def subject(self) -> tuple[object, ...]:
        """What a recording is of; budget, binary and deadlines may change while it is made."""
        claude = self.config.claude
        return self.config.trading_digest(), self.first, self.last, self.mask, claude.model, claude.models, claude.approver


@dataclass(frozen=True)
class Recorded:
    """A folder of cassettes."""

    folder: Path
    config: Config | None
    """Of the desk that recorded them; None where nobody kept it."""
    first: date
    last: date
    symbols: tuple[Symbol, ...]
    """Of the screens; empty if none was recorded."""
    models: tuple[str, ...]
    by_workflow: Mapping[str, str]
    """Which model each step asked."""
    prompts: Digest
    mask: int | None
    digest: Digest
    """Of all questions and answers."""
    count: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read all of them. ReplayMissError if there are none, ResearchError if they belong to several recordings."""
        cassettes = Shelf(folder).all()
        if not cassettes:
            inside = folder / "cassettes"
            other = f"name {inside}" if inside.is_dir() else "record some with `backtest decisions --record`"
            raise ReplayMissError(f"{folder} holds no recorded call: {other}")
        meta, days = _meta(folder), sorted(c.request.as_of.astimezone(NEW_YORK).date() for c in cassettes)
        requests = [c.request for c in cassettes]
        return cls(
            folder=folder,
            config=_of_home(folder) if meta is None else meta.config,
            first=days[0] if meta is None else meta.first,
            last=days[-1] if meta is None else meta.last,
            symbols=_universe(cassettes),
            models=tuple(sorted({r.model for r in requests})),
            by_workflow={r.workflow: r.model for r in requests},
            prompts=derive_digest(*sorted({derive_digest(r.workflow, r.persona, r.command) for r in requests})),
            mask=_mask(folder, cassettes),
            digest=derive_digest(*sorted(_told(c) for c in cassettes)),
            count=len(cassettes),
        )

    def settings(self) -> dict[str, Any]:
        """Settings that the questions themselves tell, where no configuration was kept."""
        found: dict[str, Any] = {"universe.symbols": list(self.symbols)} if self.symbols else {}
        return found | {"claude.models": dict(self.by_workflow)}

    def adapted(self, config: Config) -> Config:
        """The configuration of a replay from this folder."""
        return config.model_copy(update={"analyst": "replay", "cassettes": self.folder})


def overlaid(config: Config, flags: Mapping[str, Any]) -> Config:
    """A configuration with dotted keys set anew. ConfigError if one cannot be used."""
    tree = json.loads(config.canonical())
    for dotted, value in flags.items():
        *path, name = dotted.split(".")
        section = tree
        for part in path:
            section = section[part]
        section[name] = value
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def begin(folder: Path, config: Config, first: date, last: date, mask: int | None) -> None:
    """Keep what a replay needs, with whole paths and without whom to notify: that may hold secrets.

    ResearchError if the folder holds another recording; StorageError if it cannot be written.
    """
    files = tuple(one.model_copy(update={"path": one.path.absolute()}) for one in config.source.files)
    kept = config.model_copy(
        update={
            "source": config.source.model_copy(update={"files": files}),
            "notify": config.notify.model_copy(update={"urls": ()}),
        }
    )
    wanted = Meta(config=kept, first=first, last=last, mask=mask)
    known = _meta(folder)
    if any(folder.glob("*.json")) if known is None else known.subject != wanted.subject:
        raise ResearchError(f"{folder} holds another recording: name an empty folder with --record, or ask for the same to go on with it")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / META).write_text(wanted.canonical(), "utf-8")
    except OSError as error:
        raise StorageError(f"{folder / META} could not be written ({error}): make the folder writable, or name another") from error


def _meta(folder: Path) -> Meta | None:
    path = folder / META
    if not path.is_file():
        return None
    try:
        return Meta.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{path} cannot be read by this version; remove it, and give --data, --symbols, --start and --end"
        raise StorageError(msg) from error


def _of_home(folder: Path) -> Config | None:
    """The configuration of the desk in whose home the folder lies."""
    home = Home(folder.absolute().parent)
    if home.cassettes != folder.absolute() or not home.has_journal:
        return None
    with SqlJournal.look(home.database) as journal:
        remembered = journal.fact("config")
    return None if remembered is None else recall(remembered)


def _universe(cassettes: Sequence[Cassette]) -> tuple[Symbol, ...]:
    """Symbols of the newest screen, by the grounds that it was checked against."""
    screens = [c for c in cassettes if c.request.workflow == "screen" and c.request.grounds]
    return tuple(map(Symbol, json.loads(screens[-1].request.grounds)["universe"])) if screens else ()


def _mask(folder: Path, cassettes: Sequence[Cassette]) -> int | None:
    masks = {c.request.mask for c in cassettes}
    if len(masks) > 1:
        raise ResearchError(f"{folder} holds calls of {len(masks)} masks: a replay has one; put each recording into a folder of its own")
    told = masks.pop()
    return int(json.loads(told)["seed"]) if told else None


def _told(cassette: Cassette) -> Digest:
    said = json.dumps(cassette.output, sort_keys=True)
    return derive_digest(cassette.request.fingerprint(), str(cassette.number), cassette.ending, said)
