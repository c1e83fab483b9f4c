# ruff: noqa: INP001 - a script, in no package
"""MCP server `local-models` on standard input and output, for interactive Claude Code. It holds no key: see `trading_bot.tools.stdio`."""

import gc

gc.disable()  # until `serve`: what is imported stays, and looking through it again and again is a seventh of the start

from trading_bot.tools.registry import Toolset  # noqa: E402
from trading_bot.tools.stdio import serve  # noqa: E402

if __name__ == "__main__":
    serve(Toolset.LOCAL_MODELS, "trading_bot.bootstrap.tools:open_scope")
