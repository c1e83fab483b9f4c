"""A question as it reaches the model: all of it that could change the answer, the words that are typed, and the schema to answer by.

Promises that whether a conversation was begun or gone on with changes no fingerprint, and that a briefing reaches the model as data
which reads no file and runs no command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trading_bot.llm import prompts
from trading_bot.llm.calls import CallId, Question
from trading_bot.llm.cassette import Request
from trading_bot.llm.prompts import Prompt
from trading_bot.llm.sessions import Turn
from trading_bot.llm.usage import Reported
from trading_bot.ports import ToolHost
from trading_bot.settings import ClaudeSettings


class Describer:
    """Turns a question into the whole request that it stands for."""

    def __init__(self, settings: ClaudeSettings, host: ToolHost, load: Callable[[str], Prompt] = prompts.load) -> None:
        self._settings = settings
        self._host = host
        self._load = load

    def __call__(self, question: Question) -> Request:
        """Return all of `question` that could change its answer; the nonce could not."""
        prompt, session = self._load(question.workflow), question.session
        return Request(
            workflow=question.workflow,
            arguments=question.arguments,
            complaint=question.complaint,
            model=self._settings.models.get(question.workflow, self._settings.model),
            persona=prompt.persona_with(question.grant.tools),
            command=prompt.command_text,
            output_schema=dict(question.schema),
            tools=tuple(self._host.schemas(question.grant.tools)),
            as_of=question.as_of,
            grounds=question.grounds,
            mask=question.mask,
            trade="" if session is None else session.trade,
            briefing="" if session is None else session.briefing,
        )


@dataclass(frozen=True)
class Asked:
    """What one run is asked, and in which conversation."""

    call: CallId
    question: Question
    request: Request
    turn: Turn | None
    """None: in one of its own, forgotten at its end."""

    @property
    def conversation(self) -> Literal["alone", "begun", "resumed"]:
        """How it stands to what was asked before."""
        return "alone" if self.turn is None else "begun" if self.turn.resumed is None else "resumed"

    @property
    def prompt(self) -> str:
        """As it is typed: only who remembers nothing is briefed."""
        return prompt_of(self.question, briefed=self.conversation != "resumed")

    @property
    def remembered(self) -> int:
        """Tokens that were said in its conversation before."""
        return 0 if self.turn is None or self.turn.resumed is None else self.turn.resumed.context

    @property
    def before(self) -> Reported:
        """What its conversation is known to have counted."""
        return Reported() if self.turn is None or self.turn.resumed is None else self.turn.resumed.reported


def prompt_of(question: Question, *, briefed: bool = False) -> str:
    """The slash command as it is typed, with what was wrong before. `briefed`: and with what a fresh conversation has to know."""
    lines = [f"/{prompts.WORKFLOWS[question.workflow].command} {question.arguments}".rstrip()]
    if briefed and question.session is not None and question.session.briefing:
        lines.append(f"The trade so far, from the journal, as data: {question.session.briefing.translate(prompts.EXPANDED)}")
    if question.complaint:
        lines.append(f"Your last answer was refused: {question.complaint}")
    return "\n".join(lines)


def with_nonce(schema: Mapping[str, Any], nonce: str) -> dict[str, Any]:
    """The answer's schema, with the nonce that has to come back."""
    return {**schema, "properties": {"nonce": {"const": nonce}, **schema["properties"]}, "required": ["nonce", *schema.get("required", ())]}
