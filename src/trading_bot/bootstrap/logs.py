"""What the log says of an error: where it happened, and never what was in a variable there, for that may be a key."""

import structlog


def tell_plainly() -> None:
    """Let exceptions be logged as Python prints them. By itself structlog prints every local variable too, where `rich` is installed."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])
