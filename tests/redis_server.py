"""A Redis server of the tests' own: found on this machine, started in a new folder on a socket there, gone with the tests.

Promises that no server which runs already is touched. Where no Redis is installed tests skip and say why; in CI that is a failure.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

_TRIES = 500
PASSWORD = "between/us?@#"  # noqa: S105 - of a server that lives as long as the tests


@dataclass
class Server:
    """A running server that belongs to the tests."""

    program: str
    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address, with the password in it."""
        return f"unix://:between%2Fus%3F%40%23@{self.folder}/redis.sock"

    def client(self) -> "redis.Redis":
        """What an operator of the server has; it waits for one that is just coming up."""
        patient = Retry(ConstantBackoff(0.01), _TRIES)
        errors: list[type[Exception]] = [redis.exceptions.ConnectionError]
        return redis.Redis.from_url(self.url, decode_responses=True, protocol=2, retry=patient, retry_on_error=errors)

    def start(self) -> None:
        """Bring it up, with what it kept, and wait until it answers."""
        own = {"port": "0", "unixsocket": f"{self.folder}/redis.sock", "requirepass": PASSWORD, "dir": str(self.folder)}
        kept = {"appendonly": "yes", "appendfsync": "no", "save": ""}  # the tests kill Redis, never this machine
        words = [word for name, value in {**own, **kept}.items() for word in (f"--{name}", value)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        self._process = subprocess.Popen([self.program, *words], **silent)  # type: ignore[call-overload]  # noqa: S603 - the installed server's own program
        client = self.client()
        client.ping()
        client.close()

    def kill(self) -> None:
        """Take it down at once; what it was given is in its file."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Throw away what a server that is down kept, as one without a file would."""
        shutil.rmtree(self.folder / "appendonlydir")


@contextmanager
def running() -> Iterator[Server]:
    """A server until the block ends. Skips where there is none to start, and fails in CI."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        why = "no Redis is installed here (redis-server is not on the PATH): apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = Server(program, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
