"""The desk's socket: what other processes of its user may ask and hand over, and how a busy or dead desk looks to them."""

import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import served
from builders import NOW
from served import brief, market, scope
from trading_bot.domain.errors import StorageError, ToolFailedError
from trading_bot.ports import InboxItem
from trading_bot.tools.calling import answer
from trading_bot.tools.desk_socket import NAME, DeskSocket, ask_desk, post_to_desk

NOBODY = 65534
ITEM = InboxItem("item-1", "proposal", '{"symbol":"AAPL"}', NOW)


@dataclass
class Desk:
    """What a socket needs of a running desk."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    inbox: list[InboxItem] = field(default_factory=list)

    @contextmanager
    def at(self, home: Path) -> Iterator[None]:
        """Serve `home`."""
        view = market()[1]
        with DeskSocket(home, lambda: scope(brief(view)), self.inbox.append, self.turn, served.TOOLS):
            yield


def exchange(home: Path, line: bytes) -> bytes:
    """Say a line as it is; return what comes back, empty if the desk hangs up."""
    with socket.socket(socket.AF_UNIX) as peer, suppress(ConnectionError):
        peer.settimeout(20)
        peer.connect(str(home / NAME))
        peer.sendall(line)
        return peer.makefile("rb").readline()
    return b""


def test_a_question_is_answered_as_the_desk_itself_would(tmp_path: Path) -> None:
    """The same call, stamp included."""
    view = market()[1]
    with Desk().at(tmp_path):
        call = ask_desk(tmp_path, "look", {"say": "hello"})
    assert call == answer(served.TOOLS[0], scope(brief(view)), {"say": "hello"})


def test_a_failed_tool_is_an_answer(tmp_path: Path) -> None:
    """With its reason."""
    with Desk().at(tmp_path):
        call = ask_desk(tmp_path, "fail", {})
    assert call is not None
    assert (call.failed, call.result) == (True, "ask for something else")


def test_an_inbox_item_arrives_as_it_was_sent(tmp_path: Path) -> None:
    """While the loop works too: the inbox is a table that anybody may write."""
    desk = Desk()
    with desk.at(tmp_path), desk.turn:
        assert post_to_desk(tmp_path, ITEM)
    assert desk.inbox == [ITEM]


def test_an_item_that_cannot_be_kept_is_an_error_to_its_sender(tmp_path: Path) -> None:
    """Never a silent loss."""

    def full(_item: InboxItem) -> None:
        raise StorageError("the disk is full")

    view = market()[1]
    with (
        DeskSocket(tmp_path, lambda: scope(brief(view)), full, threading.Lock()),
        pytest.raises(ToolFailedError, match="the disk is full"),
    ):
        post_to_desk(tmp_path, ITEM)


def test_without_a_desk_there_is_no_answer(tmp_path: Path) -> None:
    """No home, no socket, or the file of a desk that died."""
    assert ask_desk(tmp_path / "nowhere", "look", {}) is None
    assert ask_desk(tmp_path, "look", {}) is None
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    assert ask_desk(tmp_path, "look", {}) is None
    assert not post_to_desk(tmp_path, ITEM)


def test_a_busy_desk_says_so(tmp_path: Path) -> None:
    """Its loop comes first; whoever asked answers from the journal then."""
    desk = Desk()
    with desk.at(tmp_path), desk.turn:
        assert ask_desk(tmp_path, "look", {}) is None
        assert json.loads(exchange(tmp_path, b'{"tool":"look","arguments":{}}\n')) == {"error": "busy"}


def test_a_question_waits_a_moment_for_the_loop(tmp_path: Path) -> None:
    """A loop that works for less than the patience of the socket is not busy."""
    desk = Desk()
    answers: list[Any] = []
    with desk.at(tmp_path):
        with desk.turn:
            asking = threading.Thread(target=lambda: answers.append(ask_desk(tmp_path, "look", {})))
            asking.start()
        asking.join(20)
    assert [call.tool for call in answers] == ["look"]


def test_the_file_of_a_dead_desk_is_replaced_and_a_closed_desk_leaves_none(tmp_path: Path) -> None:
    """Who has the home's lock has its socket."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    with Desk().at(tmp_path):
        assert ask_desk(tmp_path, "look", {}) is not None
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert not (tmp_path / NAME).exists()


def test_a_home_may_lie_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    """The kernel takes 107 bytes; folders may have thousands."""
    home = tmp_path.joinpath(*["a-rather-long-folder-name"] * 12)
    home.mkdir(parents=True)
    with Desk().at(home):
        assert ask_desk(home, "look", {}) is not None


def test_a_home_that_takes_no_socket_leaves_the_desk_running(tmp_path: Path) -> None:
    """A folder stands where the socket belongs: a warning, and no answers."""
    (tmp_path / NAME).mkdir()
    with Desk().at(tmp_path):
        assert ask_desk(tmp_path, "look", {}) is None


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b'{"tool":"look"}\n',
        b'{"tool":"look","arguments":[]}\n',
        b'{"tool":"look","arguments":{},"as":"root"}\n',
        b'{"post":{"id":"1","kind":"order","body":"{}","posted_at":"2024-03-05T14:30:00Z"}}\n',
        b'{"post":{"id":"1","kind":"command","body":"{}","posted_at":"2024-03-05T14:30:00"}}\n',
        b'{"post":{"id":"","kind":"command","body":"{}","posted_at":"2024-03-05T14:30:00Z"}}\n',
        b"x" * 1_000_000 + b"\n",
    ],
)
def test_what_is_no_request_is_refused_and_does_nothing(tmp_path: Path, line: bytes) -> None:
    """And the next question is answered."""
    desk = Desk()
    with desk.at(tmp_path):
        assert exchange(tmp_path, line) in {b'{"error":"not a request"}\n', b""}
        assert ask_desk(tmp_path, "look", {}) is not None
    assert desk.inbox == []


def test_a_peer_that_says_half_a_line_is_left_alone(tmp_path: Path) -> None:
    """Others are answered in the meantime, and it hears a refusal."""
    with Desk().at(tmp_path), socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(tmp_path / NAME))
        slow.sendall(b'{"tool":')
        assert ask_desk(tmp_path, "look", {}) is not None
        slow.shutdown(socket.SHUT_WR)
        assert slow.recv(100) == b'{"error":"not a request"}\n'


def test_a_desk_that_hangs_up_may_have_done_it(tmp_path: Path) -> None:
    """Silence after the question is not the same as no desk."""
    with socket.socket(socket.AF_UNIX) as broken:
        broken.bind(str(tmp_path / NAME))
        broken.listen()

        def hang_up() -> None:
            peer, _ = broken.accept()
            peer.close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        with pytest.raises(ToolFailedError, match="MAY have been done"):
            post_to_desk(tmp_path, ITEM)
        hanging_up.join(20)


def test_another_user_is_hung_up_on() -> None:
    """Even where the file's mode would let it in. Tests that root does not run stay who they are, and are heard."""
    desk, user = Desk(), os.geteuid()
    with tempfile.TemporaryDirectory() as folder, desk.at(Path(folder)):
        for path in (Path(folder), Path(folder) / NAME):
            path.chmod(0o777)
        os.seteuid(NOBODY if user == 0 else user)
        try:
            heard = exchange(Path(folder), b"{}\n")
        finally:
            os.seteuid(user)
    assert heard == (b"" if user == 0 else b'{"error":"not a request"}\n')
