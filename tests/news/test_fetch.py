"""Fetching from strangers: only where it may, only so long, only so much, and politely."""

import gzip
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from news_kit import NOW, answering, fetcher, http
from trading_bot.domain.errors import SourceFailedError
from trading_bot.news.fetch import Answer, Validators
from trading_bot.news.politeness import Politeness
from trading_bot.news.sockets import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address that is refused
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_only_public_addresses_are_public(address: str, public: bool) -> None:  # noqa: FBT001 - a table
    """However they are spelled, and whatever they carry."""
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_asked_unless_the_configuration_names_it(host: str) -> None:
    """Nothing connects; every spelling of loopback is loopback."""
    with answering(http(b"x")) as (door, heard), pytest.raises(SourceFailedError, match=r"add it as host:port to news\.private_hosts"):
        fetcher().get(f"http://{host}:{door.partition(':')[2]}/")
    assert heard == []


def test_a_named_host_is_asked_at_its_port_alone() -> None:
    """Another port of the same machine stays closed."""
    with answering(http(b"one")) as (door, _), answering(http(b"two")) as (other, heard):
        got = fetcher(door).get(f"http://{door}/feed")
        assert got == Answer(f"http://{door}/feed", b"one", "", NOW, Validators())
        with pytest.raises(SourceFailedError, match="private network"):
            fetcher(door).get(f"http://{other}/feed")
    assert heard == []


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    """All addresses are looked at, not the first."""
    asked = fetcher(resolving=lambda *_: ("93.184.216.34", "10.0.0.1"))
    with pytest.raises(SourceFailedError, match=r"feeds\.example is in a private network or reserved \(10\.0\.0\.1\)"):
        asked.get("http://feeds.example/")


def test_a_name_that_changes_its_address_between_two_looks_gains_nothing() -> None:
    """It is resolved once for each connection, and what was looked at is what is connected to."""
    looks: list[str] = []

    def resolving(host: str, _port: int) -> tuple[str, ...]:
        looks.append(host)
        return ("192.0.2.1",) if len(looks) == 1 else ("127.0.0.1",)

    with answering(http(b"secret")) as (door, heard), pytest.raises(SourceFailedError):
        fetcher(resolving=resolving, timeout_seconds=0.2).get(f"http://feeds.example:{door.partition(':')[2]}/")
    assert (looks, heard) == (["feeds.example"], [])


def test_a_redirect_to_a_private_address_is_refused() -> None:
    """Each hop is looked at like the first."""
    moved = http(status="302 Found", location="http://169.254.169.254/latest/meta-data/")
    with answering(moved) as (door, _), pytest.raises(SourceFailedError, match=r"169\.254\.169\.254 is in a private network"):
        fetcher(door).get(f"http://{door}/")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "http://user:word@example.org/", "http://["])
def test_a_redirect_to_what_is_no_plain_address_is_refused(target: str) -> None:
    """In the desk's own words."""
    with answering(http(status="301 Moved Permanently", location=target)) as (door, _), pytest.raises(SourceFailedError):
        fetcher(door).get(f"http://{door}/")


def test_five_redirects_are_followed_and_a_sixth_is_not() -> None:
    """Relative ones too; a loop ends."""
    moved = http(status="307 Temporary Redirect", location="next")
    with answering(*[moved] * 5, http(b"there")) as (door, _):
        got = fetcher(door).get(f"http://{door}/a/b")
        assert got is not None
        assert (got.body, got.url) == (b"there", f"http://{door}/a/next")
    with answering(*[moved] * 7) as (door, heard), pytest.raises(SourceFailedError, match="more than 5 times"):
        fetcher(door).get(f"http://{door}/a/b")
    assert len(heard) == 6


def test_a_key_goes_to_the_first_host_alone() -> None:
    """A redirect to another host does not carry it along."""
    with answering(http(b"x")) as (other, there):
        moved = http(status="302 Found", location=f"http://{other}/")
        with answering(moved) as (door, here):
            fetcher(door, other).get(f"http://{door}/", secret={"X-Api-Key": "s3cret"})
    assert b"s3cret" in here[0]
    assert b"s3cret" not in there[0]


@pytest.mark.parametrize("drip", ["headers", "body"])
def test_the_deadline_is_for_the_whole_answer(drip: str) -> None:
    """A byte now and then does not keep us waiting, be it in the head or in the body."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" if drip == "body" else b"HTTP/1.1 200 OK\r\nx: " + b"y" * 500
    with answering(answer + b"z" * 500, drip=0.02) as (door, _), pytest.raises(SourceFailedError, match=r"in full within 0\.3 s"):
        fetcher(door, timeout_seconds=0.3).get(f"http://{door}/")


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(b"words " * 100), "gzip"),
        (zlib.compress(b"words " * 100), "deflate"),
        (zlib.compress(b"words " * 100, wbits=-15), "deflate"),
        (b"words " * 100, "identity"),
    ],
    ids=["gzip", "deflate", "bare deflate", "plain"],
)
def test_packed_answers_are_unpacked(packed: bytes, encoding: str) -> None:
    """Deflate with its frame and without."""
    with answering(http(packed, content_encoding=encoding)) as (door, _):
        got = fetcher(door).get(f"http://{door}/")
    assert got is not None
    assert got.body == b"words " * 100


@pytest.mark.parametrize(
    ("body", "encoding", "told"),
    [
        (gzip.compress(b"\0" * 50_000_000), "gzip", "more than 1,000,000 bytes"),
        (zlib.compress(b"\0" * 50_000_000), "deflate", "more than 1,000,000 bytes"),
        (b"x" * 1_000_001, "identity", "more than 1,000,000 bytes"),
        (b"x" * 100, "br", "not asked for"),
        (gzip.compress(gzip.compress(b"x")), "gzip, gzip", "not asked for"),
        (b"no gzip at all" * 10, "gzip", "cannot be unpacked"),
    ],
    ids=["gzip bomb", "deflate bomb", "plain", "brotli", "twice", "not what it says"],  # bodies carry the time of day
)
def test_more_than_the_cap_is_not_unpacked(body: bytes, encoding: str, told: str) -> None:
    """Bombs, long bodies, and what nobody asked for."""
    with answering(http(body, content_encoding=encoding)) as (door, _), pytest.raises(SourceFailedError, match=told):
        fetcher(door).get(f"http://{door}/")


def test_a_cap_to_the_byte() -> None:
    """As much as is allowed is allowed."""
    with answering(http(gzip.compress(b"x" * 1_000_000), content_encoding="gzip")) as (door, _):
        got = fetcher(door).get(f"http://{door}/")
    assert got is not None
    assert len(got.body) == 1_000_000


def test_what_has_not_changed_is_none() -> None:
    """Asked by the validators of the last answer."""
    first = http(b"x", etag='"abc"', last_modified="Mon, 09 Mar 2026 14:00:00 GMT")
    with answering(first, http(status="304 Not Modified")) as (door, heard):
        asked = fetcher(door)
        got = asked.get(f"http://{door}/")
        assert got is not None
        assert asked.get(f"http://{door}/", known=got.validators) is None
    told = heard[1].lower()
    assert b'if-none-match: "abc"' in told
    assert b"if-modified-since: mon, 09 mar 2026 14:00:00 gmt" in told


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("404 Not Found", r"answered 404 Not Found; look at its address in news\.feeds"),
        ("500 Internal Server Error", "answered 500 Internal Server Error; it is asked again in the next round"),
        ("204 No Content", "answered 204"),
        ("299 Odd", "answered 299"),
    ],
)
def test_a_refusal_says_what_to_do(status: str, told: str) -> None:
    """By its kind."""
    with answering(http(status=status)) as (door, _), pytest.raises(SourceFailedError, match=told):
        fetcher(door).get(f"http://{door}/")


@pytest.mark.parametrize(
    ("retry", "seconds"), [("30", 30), ("Mon, 09 Mar 2026 14:31:00 GMT", 60), ("nonsense", 60), ("99999999999", 86_400)]
)
def test_a_host_that_asks_to_wait_is_not_asked_before(retry: str, seconds: float) -> None:
    """Whether it names seconds, a moment or nothing; not for ever either."""
    steady = [100.0]
    slept: list[float] = []
    with answering(http(status="429 Too Many Requests", retry_after=retry), http(b"again")) as (door, heard):
        asked = fetcher(door, steady=lambda: steady[0], sleep=slept.append)
        with pytest.raises(SourceFailedError, match=f"left alone for {seconds} s" if seconds < 86_400 else "left alone"):
            asked.get(f"http://{door}/")
        steady[0] += seconds - 6
        with pytest.raises(SourceFailedError, match="left alone for 6 s more"):
            asked.get(f"http://{door}/")
        assert len(heard) == 1
        steady[0] += 2
        got = asked.get(f"http://{door}/")
    assert got is not None
    assert (got.body, slept) == (b"again", [4.0])


def test_a_host_is_asked_by_one_at_a_time_with_a_pause_between() -> None:
    """Whoever comes meanwhile waits for its turn, and gives up when its time is over."""
    waits: list[float] = []
    busy = threading.Lock()
    hosts = Politeness(time.monotonic, waits.append, pause=0.7)

    def ask() -> None:
        with hosts.turn("feeds.example", lambda: 5.0):
            assert busy.acquire(blocking=False)
            busy.release()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == 3
    assert all(0 < wait <= 0.7 for wait in waits)
    with (
        hosts.turn("feeds.example", lambda: 5.0),
        pytest.raises(SourceFailedError, match="still busy"),
        hosts.turn("feeds.example", lambda: 0.0),
    ):
        pass
    with hosts.turn("feeds.example", lambda: 5.0), hosts.turn("other.example", lambda: 0.0):
        assert len(waits) == 5


def test_no_error_shows_a_key() -> None:
    """Neither of the address nor of a header, whatever goes wrong."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = f"127.0.0.1:{nobody.getsockname()[1]}"
    broken = [http(status="500 Oh"), b"garbage\r\n\r\n", http(status="302 Found", location="http://10.0.0.1/?k=s3cret"), b""]
    with answering(*broken) as (door, _):
        for host in [door] * len(broken) + [closed, "no.such.host.invalid"]:
            with pytest.raises(SourceFailedError) as raised:
                fetcher(door, closed, resolving=lambda h, _: (h,)).get(f"http://{host}/?apikey=s3cret", secret={"X-Api-Key": "s3cret"})
            assert "s3cret" not in str(raised.value)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor cookies from one answer to the next."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(http(b"x", set_cookie="a=b; path=/"), http(b"y")) as (door, heard):
        asked = fetcher(door)
        asked.get(f"http://{door}/")
        asked.get(f"http://{door}/")
    assert b"cookie" not in heard[1].lower()


def _authority(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for feeds.example, and a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "feeds.example")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("feeds.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())


def test_https_demands_a_certificate_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    """Though the connection goes to an address that was looked at before."""
    server, client = _authority(tmp_path)
    with answering(http(b"safe"), http(b"other"), tls=server) as (door, _):
        port = door.partition(":")[2]
        asked = fetcher(f"feeds.example:{port}", f"evil.example:{port}", resolving=lambda *_: ("127.0.0.1",), tls=lambda: client)
        got = asked.get(f"https://feeds.example:{port}/")
        assert got is not None
        assert got.body == b"safe"
        with pytest.raises(SourceFailedError, match="cannot be read"):
            asked.get(f"https://evil.example:{port}/")


def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path) -> None:
    """What was safe on the way stays safe."""
    server, client = _authority(tmp_path)
    with answering(http(status="302 Found", location="http://feeds.example/"), tls=server) as (door, _):
        port = door.partition(":")[2]
        asked = fetcher(f"feeds.example:{port}", resolving=lambda *_: ("127.0.0.1",), tls=lambda: client)
        with pytest.raises(SourceFailedError, match="from https to http"):
            asked.get(f"https://feeds.example:{port}/")
