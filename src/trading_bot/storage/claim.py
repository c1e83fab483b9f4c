"""What a home remembers of the server's database that keeps its journal, in a small file: an address without a password, and a name.

Promises that whoever has the home finds the journal, with or without a configuration. Refuses a configuration that names another
database: a desk that began anew there would not know what it holds.
"""

import os
import secrets
from pathlib import Path

from pydantic import ValidationError

from trading_bot.domain.errors import HomeError, HomeMismatchError
from trading_bot.domain.values import Record
from trading_bot.settings import without_password

_MOST_BYTES = 4096


class Claim(Record):
    """A home's claim on a database."""

    address: str
    """URL of SQLAlchemy, without a password."""
    home: str
    """What the database remembers its home by."""

    @classmethod
    def fresh(cls, url: str, home: Path) -> "Claim":
        """A claim that nobody made before."""
        return cls(address=without_password(url), home=f"{home.resolve()} on {os.uname().nodename} ({secrets.token_hex(4)})")

    @classmethod
    def read(cls, file: Path) -> "Claim | None":
        """The claim in `file`, None if there is none. HomeError if it cannot be read."""
        if file.exists() and not file.is_file():  # a pipe would hold up who opens it
            raise HomeError(f"{file} says which database keeps this home's journal, and is no plain file; restore it")
        try:
            with file.open("rb") as opened:
                return cls.model_validate_json(opened.read(_MOST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            reason = error if isinstance(error, OSError) else "it makes no sense"
            raise HomeError(f"{file} says which database keeps this home's journal, and cannot be read ({reason}); restore it") from error

    def write(self, file: Path) -> None:
        """Keep the claim, durably. HomeError."""
        fresh = file.with_name(f".{file.name}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(self.canonical().encode())
                opened.flush()
                os.fsync(descriptor)
            fresh.replace(file)
            folder = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise HomeError(f"{file} cannot be written: make room, or make the folder writable for this user ({error})") from error

    def address_with(self, url: str | None, file: Path) -> str:
        """The claimed address, with the password of the configured `url` if that is given. HomeMismatchError if it names another."""
        if url is None:
            return self.address
        if without_password(url) != self.address:
            raise HomeMismatchError(
                f"this home's journal is in {self.address}, and storage.url names {without_password(url)}: name the former; "
                f"if the database itself was moved, correct the address in {file}"
            )
        return url
