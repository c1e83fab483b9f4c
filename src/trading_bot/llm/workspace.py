"""The folders that the claude binary sees: a read-only workspace with our commands and nothing else, and a home of its own.

Promises that nothing of the user's (settings, hooks, memory, `CLAUDE.md`) lies in them, and that a run's folder, with its bearer
token and the binary's log of connections, is this user's alone and gone when the run ends; what a killed process left is swept by the next.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import canonical_json, derive_id
from trading_bot.llm.calls import NoTools
from trading_bot.ports import ToolGrant, ToolHost

SERVER = "desk"
"""Name of the tool server in headless runs: tools are `mcp__desk__NAME`."""

_PRIVATE, _PRIVATE_FILE = 0o700, 0o600
_READ_ONLY_FOLDER, _READ_ONLY_FILE = 0o500, 0o400


@dataclass(frozen=True)
class Workspace:
    """Folders below `root`, which belongs to this user alone."""

    root: Path
    commands: Mapping[str, str]
    """File name to text."""

    @property
    def absolute(self) -> Path:
        """`root` for the binary, which runs in another folder than we do."""
        return self.root.absolute()

    @property
    def own_home(self) -> Path:
        """What stands for the user's home folder where billing needs none of theirs."""
        folder = self.absolute / "home"
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        return folder

    def folder(self) -> Path:
        """The working directory of every run, made once for these commands."""
        self.absolute.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        made = self.absolute / f"workspace-{derive_id(canonical_json(dict(self.commands)), length=8)}"
        if not made.exists():
            self._make(made)
        return made

    def _make(self, target: Path) -> None:
        draft = Path(tempfile.mkdtemp(dir=self.absolute, prefix="draft-"))
        for file, text in self.commands.items():
            _write_command(draft, file.removesuffix(".md"), text)
        for folder in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
            folder.chmod(_READ_ONLY_FOLDER)
        try:
            draft.rename(target)
        except OSError:  # another process was first
            _remove(draft)

    @contextmanager
    def opened(self, host: ToolHost, grant: ToolGrant | NoTools) -> Iterator[tuple[Path, Callable[[], tuple[ToolCall, ...]]]]:
        """A file that tells the binary where the granted tools are, and what they were asked; both end with the block.

        The file lies in a folder of the run's own, which takes all that the run may leave behind with it.
        """
        if isinstance(grant, NoTools) or not grant.tools:
            with self._server_file({}) as file:
                yield file, tuple
            return
        with host.open(grant) as access:
            server = {"type": "http", "url": access.url, "headers": {"Authorization": f"Bearer {access.token}"}}
            with self._server_file({SERVER: server}) as file:
                yield file, access.calls

    @contextmanager
    def _server_file(self, servers: Mapping[str, object]) -> Iterator[Path]:
        folder = self.absolute / "run"
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        _sweep(folder)
        # mkdtemp and touch make it readable by this user alone before a word is in it.
        own = Path(tempfile.mkdtemp(dir=folder, prefix=f"{os.getpid()}-"))
        try:
            path = own / "servers.json"
            path.touch(_PRIVATE_FILE)
            path.write_text(canonical_json({"mcpServers": dict(servers)}), "utf-8")
            yield path
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _write_command(workspace: Path, name: str, text: str) -> None:
    """Write a slash command as a skill of its name: a lean binary, which reads no settings, knows no other kind."""
    path = workspace / ".claude" / "skills" / name / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text(f"---\nname: {name}\ndescription: {name}\n---\n{text}", "utf-8")
    path.chmod(_READ_ONLY_FILE)


def _sweep(folder: Path) -> None:
    """Remove folders of processes that are gone; their tokens died with them."""
    for path in folder.glob("*-*"):
        pid = path.name.partition("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            with suppress(OSError):
                path.chmod(_PRIVATE)
    shutil.rmtree(folder, ignore_errors=True)
