"""The mandate on paper: proposed from the configuration, written as YAML, signed by the operator, believed only if all of it holds.

Promises that numbers stay exactly as they were typed, that every reason to refuse a mandate has its own error and says what to
do, and that `load` and `examine` judge by the same table. Refuses unknown, missing and repeated keys, each with its line.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from trading_bot import yaml_text
from trading_bot.config import Config
from trading_bot.domain.errors import (
    ConfigError,
    MandateError,
    MandateExpiredError,
    MandateMismatchError,
    MandateMissingError,
    MandateUnsignedError,
)
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.values import Digest
from trading_bot.risk.operator import check_signature

_HEADER = "# Any change after `mandate sign` voids the signature. A limit is a number or `none`; shares are of equity: 0.05 is 5 %.\n"
_SIGN_AGAIN = "make and sign a new one with `mandate sign`"
_BUILTIN_FROM = datetime(1970, 1, 1, tzinfo=UTC)
_BUILTIN_TO = datetime(9999, 12, 31, tzinfo=UTC)
"""Fixed, so that two runs with one seed journal the same mandate."""


@dataclass(frozen=True)
class Binding:
    """What a mandate must have been signed for, to be of use to this desk."""

    account: str
    mode: Mode
    config_digest: Digest


@dataclass(frozen=True)
class SignedMandate:
    """A mandate that holds, and the digest of its content."""

    mandate: Mandate
    digest: Digest


@dataclass(frozen=True)
class Check:
    """One thing that has to hold, and why it does not."""

    what: str
    error: MandateError | None

    def __str__(self) -> str:
        return f"holds: {self.what}" if self.error is None else f"DOES NOT HOLD: {self.what}: {self.error}"


def propose(config: Config, account: str, mode: Mode, now: datetime) -> Mandate:
    """The mandate that the configuration asks for, from `now` (wall time) on; the operator reads and signs it."""
    return _from_config(config, account, mode, (now, now + timedelta(days=config.risk.mandate_days)))


def builtin(config: Config, mode: Mode, *, simulated: bool) -> Mandate:
    """The mandate that nobody needs to sign: for a simulated clock with the paper broker. MandateMissingError for anything else."""
    if not simulated or config.broker.name != "paper" or mode is Mode.LIVE:
        msg = f"a desk on the real clock, or on the broker {config.broker.name}, needs a signed mandate: run `mandate sign` at a terminal"
        raise MandateMissingError(msg)
    return _from_config(config, config.broker.account, mode, (_BUILTIN_FROM, _BUILTIN_TO))


def to_text(mandate: Mandate) -> str:
    """The mandate as YAML; `from_text` gives it back equal, to the last digit."""
    return _HEADER + yaml.safe_dump(mandate.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_text(text: str, name: str = "mandate.yaml") -> Mandate:
    """Read a mandate. MandateError names file, line and key of everything that cannot be used."""
    try:
        tree, lines = yaml_text.read(text, name)
    except ConfigError as error:
        raise MandateError(str(error)) from error
    try:
        return Mandate.model_validate(tree)
    except ValidationError as error:
        problems = [f"{name}, {_where(tuple(map(str, e['loc'])), lines)}: {e['msg']}" for e in error.errors()]
        raise MandateError("\n".join(dict.fromkeys(problems))) from error


def load(path: Path, signature: Path, pinned: Ed25519PublicKey, binding: Binding, now: datetime) -> SignedMandate:
    """The mandate in `path`, if everything that `examine` looks at holds at `now` (wall time); else the first error raises.

    Raises MandateMissingError, MandateUnsignedError, MandateTamperedError, MandateExpiredError, MandateMismatchError, and
    MandateError for a text that was signed but cannot be read.
    """
    text = _read(path)
    check_signature(text, _read_signature(signature), pinned)
    mandate = from_text(_decoded(text, path), str(path))
    for check in _check_terms(mandate, binding, now):
        if check.error is not None:
            raise check.error
    return SignedMandate(mandate, mandate.fingerprint())


def examine(path: Path, signature: Path, pinned: Ed25519PublicKey, binding: Binding, now: datetime) -> tuple[Check, ...]:
    """Everything that has to hold for a mandate, in words, with what does not; ends where nothing more can be said."""
    checks: list[Check] = []
    try:
        text = _read(path)
    except MandateError as error:
        return (Check("there is a mandate", error),)
    try:
        check_signature(text, _read_signature(signature), pinned)
    except MandateError as error:
        checks.append(Check("it is signed by the pinned operator key, unchanged", error))
    else:
        checks.append(Check("it is signed by the pinned operator key, unchanged", None))
    try:
        mandate = from_text(_decoded(text, path), str(path))
    except MandateError as error:
        return (*checks, Check("it can be read", error))
    return (*checks, Check("it can be read", None), *_check_terms(mandate, binding, now))


def _not_yet(mandate: Mandate, _binding: Binding, now: datetime) -> str | None:
    return None if mandate.issued_at <= now else f"it holds from {mandate.issued_at} on, and now is {now}: check the system's clock"


def _expired(mandate: Mandate, _binding: Binding, now: datetime) -> str | None:
    return None if now < mandate.expires_at else f"it ended at {mandate.expires_at}, and now is {now}"


def _other_account(mandate: Mandate, binding: Binding, _now: datetime) -> str | None:
    return None if mandate.account == binding.account else f"it is for {mandate.account}, and the desk trades {binding.account}"


def _other_mode(mandate: Mandate, binding: Binding, _now: datetime) -> str | None:
    return None if mandate.mode is binding.mode else f"it is for {mandate.mode}, and the desk runs {binding.mode}"


def _other_config(mandate: Mandate, binding: Binding, _now: datetime) -> str | None:
    same = mandate.config_digest == binding.config_digest
    return None if same else "the configuration's risk, broker or universe section was changed after signing"


_Term = Callable[[Mandate, Binding, datetime], str | None]
_TERMS: tuple[tuple[str, type[MandateError], _Term], ...] = (
    ("it has begun", MandateMismatchError, _not_yet),
    ("it has not expired", MandateExpiredError, _expired),
    ("it is for this account", MandateMismatchError, _other_account),
    ("it is for this mode", MandateMismatchError, _other_mode),
    ("it is for this configuration", MandateMismatchError, _other_config),
)


def _check_terms(mandate: Mandate, binding: Binding, now: datetime) -> Iterator[Check]:
    for what, kind, term in _TERMS:
        problem = term(mandate, binding, now)
        yield Check(what, kind(f"the mandate does not hold: {problem}; {_SIGN_AGAIN}") if problem else None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"there is no mandate that can be read ({error}); make and sign one with `mandate sign`"
        raise MandateMissingError(msg) from error


def _read_signature(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"the mandate is not signed ({error}); read it and sign it with `mandate sign`"
        raise MandateUnsignedError(msg) from error


def _decoded(text: bytes, path: Path) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text: {error}"
        raise MandateError(msg) from error


def _where(loc: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> str:
    """The line and the path of an error; the nearest line above for what is missing."""
    known = next((loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in lines), ())
    return f"line {lines.get(known, 1)}, {'.'.join(loc) or 'the whole'}"


def _from_config(config: Config, account: str, mode: Mode, span: tuple[datetime, datetime]) -> Mandate:
    return Mandate(
        account=account,
        mode=mode,
        universe=config.universe.symbols,
        autonomy=config.risk.autonomy,
        limits=config.risk.limits,
        discipline=config.risk.discipline,
        guardian=config.risk.guardian,
        config_digest=config.risk_digest(),
        issued_at=span[0],
        expires_at=span[1],
    )
