"""A PostgreSQL server of the tests' own: found on this machine, started in a new folder by a user without rights, gone with the tests.

Promises that no server which runs already is touched. Where no PostgreSQL is installed tests skip and say why; in CI that is a failure.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

_NOBODY = 65534
_USER = "desk"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the tests kill clients, never this machine
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
}


@dataclass(frozen=True)
class Server:
    """A running server that belongs to the tests."""

    programs: Path
    folder: Path

    def url(self, database: str, user: str = _USER, password: str = "") -> str:
        """Address of a database, by the server's socket."""
        who = f"{user}:{password}" if password else user
        return f"postgresql+psycopg://{who}@/{database}?host={self.folder}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """What the server's operator types."""
        shell(self.url(database), *statements)

    def stop(self) -> None:
        """Take the server down at once, as a power cut of its machine would."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Bring it up, and wait until it answers."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in {**_SETTINGS, "unix_socket_directories": self.folder}.items())
        self._control("start", "-o", settings, "-l", str(self.folder / "log"))

    def _control(self, *arguments: str) -> None:
        _run(self.programs / "pg_ctl", "-w", "-D", str(self.folder / "data"), *arguments)


def shell(address: str | Path, *statements: str) -> None:
    """What someone with a database shell could do, to a file of SQLite or to a server's database."""
    url = address if isinstance(address, str) else f"sqlite:///{address}"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def unguard(address: str | Path) -> None:
    """Take away what keeps a database shell from changing the journal and the ledger."""
    for table in ("journal", "spending"):
        for event in ("update", "delete"):
            shell(address, f"DROP TRIGGER IF EXISTS {table}_refuses_{event}" + ("" if isinstance(address, Path) else f" ON {table}"))


def programs() -> Path | None:
    """Folder of `initdb` and `pg_ctl`, None where no PostgreSQL is installed."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def running() -> Iterator[Server]:
    """A server until the block ends. Skips where there is none to start, and fails in CI."""
    found = programs()
    if found is None:
        why = "no PostgreSQL is installed here (initdb is not on the PATH): apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    server = Server(found, folder)
    try:
        _run(
            found / "initdb",
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            f"--username={_USER}",
            "-D",
            str(folder / "data"),
        )
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: Path, *arguments: str) -> None:
    """Run a program of the server's, which root may not."""
    rights = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run([str(program), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", **rights)  # type: ignore[call-overload]  # noqa: S603 - the installed server's own programs
