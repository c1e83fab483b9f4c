"""Notifications over real sockets: delivered, refused, hanging; and what systemd hears."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from trading_bot.monitoring.notify import AppriseNotifier
from trading_bot.monitoring.systemd import Systemd

_PATIENCE_S = 20.0


@contextmanager
def service(status: int = 200) -> Iterator[tuple[str, "Queue[dict[str, Any]]"]]:
    """A service that takes notifications as JSON; its address and what came in."""
    came: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"json://user:secret-word@127.0.0.1:{server.server_port}/", came
        finally:
            server.shutdown()
            thread.join()


def test_everybody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Title and body arrive at each address, in order."""
    with service() as (one, at_one), service() as (two, at_two), AppriseNotifier([one, two]) as notifier:
        notifier.tell("first", "AAPL has no stop")
        notifier.tell("second", "over")
        for came in (at_one, at_two):
            told = [came.get(timeout=_PATIENCE_S) for _ in range(2)]
            assert [(t["title"], t["message"]) for t in told] == [("first", "AAPL has no stop"), ("second", "over")]
    assert "secret-word" not in caplog.text


def test_who_cannot_be_told_stops_nothing_and_gives_no_secret_away(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A service that refuses, an address without a service, and one that is none: the log says that it failed, not where to."""
    caplog.set_level(logging.DEBUG)
    with service(500) as (refusing, came):
        notifier = AppriseNotifier([refusing, "json://user:secret-word@127.0.0.1:1/", "nonsense://secret-word"])
        notifier.tell("title", "body")
        came.get(timeout=_PATIENCE_S)
        notifier.close(_PATIENCE_S)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "a notification was not delivered everywhere" in said
    assert "an address of notify.urls cannot be used" in said
    assert "secret-word" not in said


def test_a_service_that_hangs_holds_up_nobody() -> None:
    """`tell` returns at once and `close` after its patience, however many wait."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        notifier = AppriseNotifier([f"json://127.0.0.1:{mute.getsockname()[1]}/"])

        def tell_many() -> None:
            for number in range(110):
                notifier.tell(str(number), "body")
            notifier.close(0.1)
            ended.set()

        threading.Thread(target=tell_many).start()
        assert ended.wait(_PATIENCE_S)
    for thread in threading.enumerate():
        if thread.name == "notifications":
            thread.join(_PATIENCE_S)
            assert not thread.is_alive()


def test_without_addresses_nothing_is_started() -> None:
    """No thread, no library."""
    before = threading.active_count()
    with AppriseNotifier([]) as notifier:
        notifier.tell("title", "body")
        assert threading.active_count() == before


def test_systemd_hears_that_the_service_is_up_and_goes_round(tmp_path: Path) -> None:
    """By its socket; outside systemd nothing is said."""
    Systemd({}).ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(_PATIENCE_S)
        speaker = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        speaker.ready()
        speaker.alive()
        assert [door.recv(100), door.recv(100)] == [b"READY=1", b"WATCHDOG=1"]
    speaker.alive()
