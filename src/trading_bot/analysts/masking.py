"""A model that does not know what it judges: its question goes out masked, its answer comes back in the desk's own terms.

Promises that analysts, checks and grounds work as ever: symbols, prices on the tick, dates, claims and the tool results that they name
are unmasked before anybody reads them. Refuses to believe for that: what the model got wrong is wrong afterwards too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trading_bot.analysts.claims import same
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import Symbol, canonical_json
from trading_bot.llm import masking
from trading_bot.llm.calls import Asker, Question, Reply
from trading_bot.llm.mask import Mask

_CLAIMS = "claims"


class MaskedAsker:
    """An `Asker` before another: the manager, live, or the cassettes.

    `unmasked`: turns a recorded tool call into the desk's own terms.
    """

    def __init__(self, inner: Asker, mask: Mask, unmasked: Callable[[ToolCall], ToolCall]) -> None:
        self._inner = inner
        self._mask = mask
        self._unmasked = unmasked

    def ask(self, question: Question) -> Reply:
        """Return what came of it, as if nothing had been masked."""
        arguments, complaint = self._shown(question.arguments), self._mask.blanked(question.complaint)
        session = question.session and replace(question.session, briefing=self._shown(question.session.briefing))
        told = self._inner.ask(replace(question, arguments=arguments, complaint=complaint, mask=self._mask.key, session=session))
        output = None if told.output is None else self._output(told.output, told.calls)
        return replace(told, output=output, calls=tuple(map(self._unmasked, told.calls)), note=self._mask.real_named(told.note))

    def _shown(self, text: str) -> str:
        """A proposal or a trade as JSON, or a few words."""
        if not text.startswith("{"):
            return self._mask.named(text)
        return canonical_json(masking.shown(self._mask, json.loads(text)))

    def _output(self, said: Mapping[str, Any], calls: Sequence[ToolCall]) -> Mapping[str, Any]:
        """The answer unmasked; each claim by the symbol of the fact that it cites."""
        about = self._named(said.get("symbol"))
        told: dict[str, Any] = masking.real(self._mask, {name: part for name, part in said.items() if name != _CLAIMS})
        if _CLAIMS in said:
            told[_CLAIMS] = self._claims(said[_CLAIMS], about, calls)
        picks = said.get("candidates")
        for pick, meant in zip(picks, told["candidates"], strict=True) if isinstance(picks, list) else ():
            if isinstance(pick, dict) and _CLAIMS in pick:
                meant[_CLAIMS] = self._claims(pick[_CLAIMS], self._named(pick.get("symbol")), calls)
        return told

    def _claims(self, said: object, about: Symbol | None, calls: Sequence[ToolCall]) -> object:
        return [self._claim(claim, about, calls) for claim in said] if isinstance(said, list) else said

    def _claim(self, claim: object, about: Symbol | None, calls: Sequence[ToolCall]) -> object:
        if not isinstance(claim, dict) or not isinstance(claim.get("field"), str):
            return claim
        field, value = claim["field"].rpartition(".")[2].lower(), claim.get("value")
        if not isinstance(value, int | float | str | bool | None):
            return claim
        cited = (call for call in calls if call.evidence == claim.get("evidence") and not call.failed)
        found = (fact for call in cited for fact in masking.facts(json.loads(call.result), field, about, self._named))
        of = next((symbol for fact, symbol in found if same(value, fact)), None)
        return {**claim, "value": masking.real_leaf(self._mask, value, field, of or about)}

    def _named(self, alias: object) -> Symbol | None:
        try:
            return self._mask.symbol(alias) if isinstance(alias, str) else None
        except ToolFailedError:
            return None
