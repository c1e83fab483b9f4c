"""What is kept of a tool's use: which tool, with what, and what it answered. The ground that a model's claims are held against."""

from trading_bot.domain.values import EvidenceId, Record

TAINTING = frozenset(
    {
        "get_news",
        "get_sentiment",
        "get_sentiment_anomalies",
        "get_news_impact",
        "list_models",
        "classify_text",
        "summarize",
        "ask_local_model",
        "get_model_health",
    }
)
"""Tools whose results go back to texts from outside, numbers made from them included."""


class ToolCall(Record):
    """One call of a tool by a model or a person, as it was answered."""

    evidence: EvidenceId
    """Stamped on the result; a pure function of decision, tool, arguments and result."""
    tool: str
    arguments: str
    """Canonical JSON."""
    result: str
    """Canonical JSON of the result without its stamp, or the text of the error."""
    failed: bool = False
