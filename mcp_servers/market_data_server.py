# ruff: noqa: INP001 - a script, in no package
"""MCP server `market-data` on standard input and output, for interactive Claude Code. It holds no key: see `trading_bot.tools.stdio`."""

from trading_bot.tools.registry import Toolset
from trading_bot.tools.stdio import serve

if __name__ == "__main__":
    serve(Toolset.MARKET_DATA, "trading_bot.bootstrap:open_scope")
