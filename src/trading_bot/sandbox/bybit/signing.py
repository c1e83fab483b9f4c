"""Who asks, and whether it is said by the one who holds the secret: HMAC-SHA256 over time, key, window and payload.

Promises the venue's order of refusals: what is missing, the key, the time, the signature, the permission. A request's time is held
against the machine's clock or against the emulated one, whichever is nearer: a client may live in either.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_bot.sandbox.bybit.wire import Refused, millis

_AHEAD = 1000
"""A request may come this many ms before its time."""
_WINDOW = 5000
_LONGEST = 86_400_000
"""A stream's authorisation may be good for at most so many ms."""


@dataclass(frozen=True)
class Credentials:
    """One key of the account; without a key any is welcome, and nothing is verified."""

    key: str | None = None
    secret: str = ""
    read_only: bool = False
    expired: bool = False


ANYONE = Credentials()
"""Every key is welcome, and no signature is looked at."""


@dataclass(frozen=True)
class Times:
    """What the venue's clock may say: the machine's time and the emulated one, with a skew."""

    wall: datetime
    emulated: datetime
    skew: timedelta = timedelta(0)

    def all(self) -> tuple[int, ...]:
        """Both, in ms."""
        return tuple(millis(at + self.skew) for at in (self.wall, self.emulated))


def sign(secret: str, payload: str) -> str:
    """The signature of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check(credentials: Credentials, headers: Mapping[str, str], payload: str, times: Times) -> None:
    """Refuse a request that is not its owner's, or too old. `payload`: the query as it was sent, or the body."""
    key, said, signature = (headers.get(f"x-bapi-{name}", "") for name in ("api-key", "timestamp", "sign"))
    window = headers.get("x-bapi-recv-window") or str(_WINDOW)
    if not (key and said and signature):
        raise Refused("parameter", f"empty value: apiTimestamp[{said}] apiKey[{key and '***'}] apiSignature[{signature and '***'}]")
    if not (said.isdigit() and window.isdigit()):
        raise Refused("parameter", "timestamp or recv_window invalid")
    if credentials.key is not None and not hmac.compare_digest(key.encode(), credentials.key.encode()):
        raise Refused("key")
    if credentials.expired:
        raise Refused("key_expired")
    if not any(now - int(window) <= int(said) < now + _AHEAD for now in times.all()):
        raise Refused("expired", said, times.all()[0], window)
    if credentials.key is not None and not _signed(credentials.secret, said + key + window + payload, signature):
        raise Refused("sign")


def admits(credentials: Credentials, arguments: list[object], times: Times) -> bool:
    """Whether a stream's `auth` is good: key, end of validity, signature."""
    if len(arguments) < 3:  # noqa: PLR2004 - key, time, signature
        return False
    key, expires, signature = (str(argument) for argument in arguments[:3])
    fresh = expires.isdigit() and any(now < int(expires) <= now + _LONGEST for now in times.all())
    if credentials.key is None:
        return fresh
    right = hmac.compare_digest(key.encode(), credentials.key.encode())
    return fresh and right and not credentials.expired and _signed(credentials.secret, f"GET/realtime{expires}", signature)


def _signed(secret: str, payload: str, signature: str) -> bool:
    return hmac.compare_digest(sign(secret, payload).encode(), signature.encode())
