"""The stdio servers of interactive use: one toolset each, answered by the running desk or, without one, by this process.

Promises to list its tools before anything heavy is imported, to talk protocol alone on standard output, and to end as soon as its
client does. Holds no key. A home that cannot be opened is a tool's error that says what to do, never a crash.
"""

import gc
import logging
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from trading_bot.domain.errors import DeskError
from trading_bot.domain.tooling import ToolCall
from trading_bot.ports import LocalModels
from trading_bot.tools import wire
from trading_bot.tools.calling import answer
from trading_bot.tools.desk_socket import ask_desk
from trading_bot.tools.registry import TOOLS, Tool, Toolset
from trading_bot.tools.runs import Runs

_SESSION = "session"
"""Whose evidence a call is that nobody answered."""
_log = logging.getLogger(__name__)


def serve(toolset: Toolset, opener: str, tools: Sequence[Tool] = TOOLS) -> None:
    """Serve one toolset until standard input ends, and end the process.

    `opener`: `module:function` whose context is a `Scope` as of now; imported in the background, since it brings everything with it.
    """
    answering = Answering([tool for tool in tools if tool.toolset is toolset], opener, Path(os.environ.get("TRADING_BOT_HOME") or "var"))
    gc.enable()  # a launcher switches it off to start sooner
    answering.warm()
    anyio.run(_talk, answering.server(toolset))
    sys.stderr.flush()
    os._exit(0)  # a tool that still runs has nobody left to tell, and its thread would keep the process


async def _talk(server: Server[Any]) -> None:
    async with stdio_server() as (heard, said):
        await server.run(heard, said, server.create_initialization_options())


class Answering:
    """Answers calls one at a time: the running desk first, else this process from a scope of the moment."""

    def __init__(self, tools: Sequence[Tool], opener: str, home: Path) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._opener = opener
        self._home = home
        self._turn = threading.Lock()
        self._runs = Runs()
        self._models: LocalModels | None = None
        """Kept, since they remember who failed."""
        self._warming = threading.Thread(target=self._import_all, name="warming", daemon=True)

    def server(self, name: str) -> Server[Any]:
        """Return the MCP server of these tools."""
        tools = tuple(self._tools.values())
        return wire.server(name, lambda _context: tools, lambda context, tool, arguments: self.call(tool, arguments, wire.teller(context)))

    def warm(self) -> None:
        """Import in the background what the first call needs; what fails there fails again at the call, where it is told."""
        self._warming.start()

    def call(self, name: str, arguments: dict[str, Any], tell: wire.Tell = wire.unheard) -> ToolCall:
        """Answer one call; it never raises. `tell` hears how far a long one is, if this process answers it."""
        tool = self._tools.get(name)
        if tool is None:
            return wire.unknown(_SESSION, name, arguments, tuple(self._tools.values()))
        try:
            with self._turn:
                return self._of_desk(tool, arguments) or self._alone(tool, arguments, tell)
        except DeskError as error:
            return wire.refused(_SESSION, name, arguments, str(error))
        except Exception as error:  # noqa: BLE001  # edge: a server that fell silent could not say why
            _log.exception("the tool %s failed", name)
            reason = f"{name} failed inside ({type(error).__name__}); the server's standard error says more"
            return wire.refused(_SESSION, name, arguments, reason)

    def _of_desk(self, tool: Tool, arguments: dict[str, Any]) -> ToolCall | None:
        """What the running desk says. Local models are asked from here: they look at no desk, and take longer than one is waited for."""
        return None if tool.toolset is Toolset.LOCAL_MODELS else ask_desk(self._home, tool.name, arguments)

    def _alone(self, tool: Tool, arguments: dict[str, Any], tell: wire.Tell) -> ToolCall:
        if self._warming.ident is not None:
            self._warming.join()  # two threads that import one package at once can see half of it
        with resolve_name(self._opener)() as scope:
            self._models = self._models or scope.models
            return answer(tool, replace(scope, runs=self._runs, models=self._models, tell=tell), arguments)

    def _import_all(self) -> None:
        resolve_name(self._opener)
        for tool in self._tools.values():
            _ = tool.implementation
