"""Addresses of articles in one spelling, so that an article that is met twice is one.

Promises https without `www.`, fragment, port of its scheme, session and tracking parameters, with the others in order. Refuses whatever is
no address of a web page (scripts, files, data, names with a password, absurd lengths): that becomes empty.
"""

import re
from urllib.parse import SplitResult, urlsplit

from w3lib.url import canonicalize_url, url_query_cleaner

MOST = 2000
_DEFAULT_PORTS = {None, 80, 443}
_TRACKING = [
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "msclkid",
    "yclid",
    "twclid",
    "igshid",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "__source",
    "source",
    "src",
    "ref",
    "ref_src",
    "ref_url",
    "referrer",
    "cmpid",
    "cmp",
    "ncid",
    "guccounter",
    "guce_referrer",
    "guce_referrer_sig",
    "partner",
    "mod",
    "taid",
    "sh",
    "sref",
    "soc_src",
    "soc_trk",
    "tsrc",
    ".tsrc",
    "yptr",
    "siteid",
    "itid",
    "smid",
    "smtyp",
    "feed",
    "feedtype",
    "feedname",
    "rss",
    "rss_id",
    "spm",
    "share",
    "sharetype",
    "xtor",
    "ocid",
    "cvid",
    "icid",
    "ito",
    "at_medium",
    "at_campaign",
    "leadsource",
    "campaign_id",
    "phpsessid",
    "jsessionid",
    "sid",
    "session_id",
    "amp",
]
_UTM = re.compile(r"(?i)(?<=[?&])(?:utm|pk|mtm|hsa|at|vero|oly|wt)_[^=&]*(?:=[^&]*)?&?")
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\"'`{}|\\^]")
_HOST = re.compile(r"[a-z0-9._-]+\.[a-z0-9-]{2,}\Z|\[[0-9a-f:.]+\]\Z")


def canonical(url: str) -> str:
    """Return the one spelling of `url`, empty if it is no address of a page."""
    url = url.strip()
    if len(url) > MOST:
        return ""
    try:
        parts = urlsplit(url)
        host = _host(parts)
        if parts.scheme.lower() not in {"http", "https"} or not host:
            return ""
        plain = parts._replace(scheme="https", netloc=host, query=_UTM.sub("", "?" + parts.query)[1:]).geturl()
        address: str = canonicalize_url(url_query_cleaner(plain, _TRACKING, remove=True) if "?" in plain else plain)
    except ValueError:  # UnicodeError too: no host is written like that
        return ""
    address = address.removesuffix("?")
    return "" if _UNSAFE.search(address) or not address.isascii() or len(address) > MOST else address


def site(url: str) -> str:
    """The host of a canonical address: who published it, if nobody says."""
    return urlsplit(url).netloc


def _host(parts: SplitResult) -> str:
    if parts.username is not None or parts.password is not None or not parts.hostname:
        return ""
    name = parts.hostname.removeprefix("www.").rstrip(".")
    name = name if name.isascii() else name.encode("idna").decode("ascii")
    name = f"[{name}]" if ":" in name else name
    return (name if parts.port in _DEFAULT_PORTS else f"{name}:{parts.port}") if _HOST.match(name) else ""
