"""GET of what a stranger serves: polite, bounded, and nowhere but where it may go.

Promises that an answer, redirects and all, is there within its time or not at all, that no more than its bytes are unpacked, that what has
not changed is not sent again, and that no key stands in an error. Refuses addresses inside (see `sockets`), more than five redirects,
one from https to http, encodings that it did not ask for, and everything that proxies, cookies or `.netrc` of the environment would add.
"""

import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus

import httpx

from trading_bot.domain.errors import SourceFailedError
from trading_bot.news.politeness import Politeness
from trading_bot.news.sockets import Left, Resolve, Transport, resolve
from trading_bot.settings_news import NewsSettings

REDIRECTS = 5
_ASKED_TO_WAIT = 60.0
"""Seconds, where a host says that it is asked too often and not for how long to stay away."""
_MOVED = frozenset({301, 302, 303, 307, 308})
_WAIT = frozenset({429, 503})
_REFUSED = frozenset({401, 403, 404, 410, 429})
"""Answers that a person has to do something about."""
_GZIP_OR_ZLIB, _BARE = 47, -15
_OK, _UNCHANGED = 200, 304


@dataclass(frozen=True)
class Validators:
    """What a host said by which it knows an answer again."""

    etag: str = ""
    modified: str = ""

    def headers(self) -> dict[str, str]:
        """As they are sent back."""
        told = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in told.items() if value and value.isascii()}


UNKNOWN = Validators()


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    url: str
    """Where it came from in the end."""
    body: bytes
    content_type: str
    at: datetime
    """When it was there."""
    validators: Validators


@dataclass(frozen=True)
class _Moved:
    to: httpx.URL


class Fetcher:
    """Fetches for all feeds of a process; safe for several threads. `agent`: who asks, as hosts want to know it."""

    def __init__(  # noqa: PLR0913 - time and network come from outside
        self,
        settings: NewsSettings,
        steady: Callable[[], float],
        now: Callable[[], datetime],
        sleep: Callable[[float], object],
        *,
        agent: str = "trading-bot",
        pause: float = 1.0,
        resolving: Resolve = resolve,
        tls: Callable[[], ssl.SSLContext] = httpx.create_ssl_context,
    ) -> None:
        self.now = now
        self._settings = settings
        self._private = frozenset(host.lower() for host in settings.private_hosts)
        self._steady = steady
        self._agent = agent
        self._hosts = Politeness(steady, sleep, pause)
        self._resolve = resolving
        self._make_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._make_tls()

    def get(self, url: str, *, secret: Mapping[str, str] | None = None, known: Validators = UNKNOWN, advice: str = "") -> Answer | None:
        """What `url` has, None if that is what was `known`. SourceFailedError says what went wrong and what to do.

        `secret`: headers for the first host alone; `advice`: what a person can do where the host refuses.
        """
        left = self._deadline()
        here, first = _parsed(url), _parsed(url)
        for _ in range(REDIRECTS + 1):
            own = dict(secret or {}) if _origin(here) == _origin(first) else {}
            outcome = self._ask(here, own | known.headers(), left, advice)
            if not isinstance(outcome, _Moved):
                return outcome
            if here.scheme == "https" and outcome.to.scheme == "http":
                raise SourceFailedError(
                    f"{here.host} sends us from https to http, which anybody could change on the way; it was not followed"
                )
            here = outcome.to
        raise SourceFailedError(f"{first.host} sends us on more than {REDIRECTS} times; look at its address in news.feeds")

    def leave_alone(self, url: str, seconds: float) -> None:
        """A host asked by its answer, not by its status, to be left alone."""
        self._hosts.leave_alone(_parsed(url).host, seconds)

    def _deadline(self) -> Left:
        end = self._steady() + self._settings.timeout_seconds
        return lambda: end - self._steady()

    def _ask(self, url: httpx.URL, headers: Mapping[str, str], left: Left, advice: str) -> Answer | _Moved | None:
        told = {"User-Agent": self._agent, "Accept-Encoding": "gzip, deflate", "Accept": "*/*", **headers}
        transport = Transport(self._tls, self._private, left, self._resolve)
        with self._hosts.turn(url.host, left):
            try:
                with httpx.Client(transport=transport, trust_env=False) as client, client.stream("GET", url, headers=told) as response:
                    return self._read(url, response, advice)
            except httpx.TimeoutException as error:
                raise SourceFailedError(
                    f"{url.host} did not answer in full within {self._settings.timeout_seconds:g} s; it is asked again in the next round"
                ) from error
            except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as error:
                raise SourceFailedError(f"{url.host} cannot be read ({_why(error)}); look at the network and at its address") from error

    def _read(self, url: httpx.URL, response: httpx.Response, advice: str) -> Answer | _Moved | None:
        status = response.status_code
        if status == _UNCHANGED:
            return None
        if status in _MOVED and "location" in response.headers:
            return _Moved(_parsed(str(url.join(response.headers["location"]))))
        if status != _OK:
            raise self._refusal(url.host, response, advice)
        headers = response.headers
        validators = Validators(headers.get("etag", "")[:500], headers.get("last-modified", "")[:100])
        body = self._body(url.host, response)
        return Answer(str(url), body, headers.get("content-type", "")[:200], self.now(), validators)

    def _body(self, host: str, response: httpx.Response) -> bytes:
        most = self._settings.max_bytes
        unpack = _unpacking(host, response.headers.get("content-encoding", ""))
        parts: list[bytes] = []
        packed = size = 0
        for chunk in response.iter_raw():
            try:
                parts.append(unpack(chunk, most + 1 - size))
            except zlib.error as error:
                raise SourceFailedError(f"{host} sends what cannot be unpacked; it is asked again in the next round") from error
            packed += len(chunk)
            size += len(parts[-1])
            if max(packed, size) > most:
                raise SourceFailedError(f"{host} sends more than {most:,} bytes; raise news.max_bytes if it is to be believed")
        return b"".join(parts)

    def _refusal(self, host: str, response: httpx.Response, advice: str) -> SourceFailedError:
        status = response.status_code
        told = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
        if status in _WAIT:
            wait = _seconds(response.headers.get("retry-after", ""), self.now()) or (
                _ASKED_TO_WAIT if status == HTTPStatus.TOO_MANY_REQUESTS else 0
            )
            self._hosts.leave_alone(host, wait)
            told += f", and wants to be left alone for {wait:.0f} s" if wait else ""
        todo = (advice or "look at its address in news.feeds") if status in _REFUSED else "it is asked again in the next round"
        return SourceFailedError(f"{host} answered {told}; {todo}")


def _parsed(url: str) -> httpx.URL:
    try:
        made = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SourceFailedError("a feed's address cannot be read; look at it in news.feeds") from error
    if made.scheme not in {"http", "https"} or not made.host or made.userinfo:
        raise SourceFailedError(f"{made.scheme[:20]}://{made.host[:100]} is no http address without a password; it was not asked")
    return made


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _why(error: Exception) -> str:
    """What the library says, without any address: that might hold a key."""
    text = " ".join(str(error).split())
    return type(error).__name__ if "://" in text or not text else text[:120]


def _seconds(told: str, now: datetime) -> float:
    """What Retry-After asks for, 0 if that cannot be read."""
    if told.strip().isdecimal():
        return float(told.strip()[:9])
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return max((moment - now).total_seconds(), 0.0) if moment.tzinfo else 0.0


def _unpacking(host: str, encoding: str) -> Callable[[bytes, int], bytes]:
    """A function from a piece and the most bytes that are wanted of it to plain bytes. No bomb gets larger than that in memory."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return lambda piece, most: piece[:most]
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise SourceFailedError(f"{host} packs its answer in a way that it was not asked for; nothing was unpacked")
    return _Inflated()


class _Inflated:
    """gzip, zlib, or the bare deflate that some servers send under its name."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun = False

    def __call__(self, piece: bytes, most: int) -> bytes:
        try:
            return self._inflate.decompress(piece, most)
        except zlib.error:
            if self._begun:
                raise
            self._inflate = zlib.decompressobj(_BARE)
            return self._inflate.decompress(piece, most)
        finally:
            self._begun = True
