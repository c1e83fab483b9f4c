"""The operator's key: what a person signs with, and how the desk knows that it was that person.

Promises that the private key never lies on disk unencrypted, that a signature for one purpose is none for another, and that
a statement (such as "resume desk x from state 4") holds for minutes and for exactly what it names. Refuses to overwrite a key,
and a private key that others can read. The desk only needs the public key, pinned outside its home.
"""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from stat import S_IMODE

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from trading_bot.domain.errors import (
    MandateError,
    MandateExpiredError,
    MandateMismatchError,
    MandateMissingError,
    MandateTamperedError,
    MandateUnsignedError,
)
from trading_bot.domain.values import Record, UtcTime

PRIVATE_KEY = "operator.key"
PUBLIC_KEY = "operator.pub"
SHORTEST_PASSPHRASE = 8
STATEMENT_LIFETIME = timedelta(minutes=5)

_MANDATE = b"trading-bot mandate 1\n"
_STATEMENT = b"trading-bot statement 1\n"
"""Put before what is signed, so that a statement cannot be passed off as a mandate."""


class Signature(Record):
    """A signature, and by which public key (32 bytes in hex) it claims to be."""

    key: str
    signature: str = Field(pattern="^[0-9a-f]{128}$")
    """64 bytes in hex; one spelling each, so that no byte of it can change unnoticed."""


class Statement(Record):
    """What a person says at a terminal, for a few minutes of wall time."""

    kind: str
    fields: dict[str, str]
    issued_at: UtcTime
    expires_at: UtcTime


class SignedStatement(Record):
    """A statement with its signature; its JSON travels through the inbox."""

    statement: Statement
    signature: Signature


def create_operator_key(folder: Path, passphrase: str) -> Ed25519PublicKey:
    """Make a key pair in `folder`: `operator.key` (PKCS#8, encrypted under `passphrase`, 0600) and `operator.pub`, which is pinned.

    MandateError if there is a key already, if the passphrase is shorter than 8 characters, or if the folder cannot be written.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        msg = f"the passphrase needs at least {SHORTEST_PASSPHRASE} characters"
        raise MandateError(msg)
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem, pkcs8, spki = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(folder / PRIVATE_KEY, 0o600, private.private_bytes(pem, pkcs8, encryption))
        _create(folder / PUBLIC_KEY, 0o644, public.public_bytes(pem, spki))
    except OSError as error:
        msg = f"{folder} cannot hold the operator's key: {error}"
        raise MandateError(msg) from error
    return public


def pinned_key(folder: Path) -> Ed25519PublicKey:
    """The public key that this user pinned. MandateMissingError if there is none."""
    path = folder / PUBLIC_KEY
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError as error:
        msg = f"no operator key is pinned in {folder}; run `mandate sign` at a terminal, which makes one"
        raise MandateMissingError(msg) from error
    except OSError as error:
        msg = f"no operator key is pinned ({error}); run `mandate sign` at a terminal, which makes one"
        raise MandateMissingError(msg) from error
    except ValueError as error:
        msg = f"{path} is not a public key; restore it from a backup"
        raise MandateMissingError(msg) from error
    if not isinstance(key, Ed25519PublicKey):
        msg = f"{path} is not an Ed25519 key; restore it from a backup"
        raise MandateMissingError(msg)
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """The 32 bytes of `key` in hex."""
    return key.public_bytes_raw().hex()


def sign(text: bytes, folder: Path, passphrase: str) -> bytes:
    """Return what `mandate.sig` holds for a mandate of exactly these bytes. MandateError if the key cannot be unlocked."""
    return f"{_sign(_MANDATE + text, _unlock(folder, passphrase)).canonical()}\n".encode()


def check_signature(text: bytes, signature: bytes, pinned: Ed25519PublicKey) -> None:
    """Return if `signature` (what `mandate.sig` holds) is that of `text` by the pinned key.

    MandateUnsignedError if it is none, or by another key; MandateTamperedError if it belongs to another text.
    """
    try:
        parsed = Signature.model_validate_json(signature)
    except ValidationError as error:
        raise MandateUnsignedError("the mandate's signature cannot be read; run `mandate sign` at a terminal") from error
    _check(_MANDATE + text, parsed, pinned, "the mandate")


def sign_statement(kind: str, fields: Mapping[str, str], folder: Path, passphrase: str, now: datetime) -> str:
    """Return a signed statement as JSON, good for 5 minutes from `now` (wall time).

    `fields` must name what it is about so that it fits once: for `resume` the desk and the running number of its state.
    """
    statement = Statement(kind=kind, fields=dict(fields), issued_at=now, expires_at=now + STATEMENT_LIFETIME)
    signature = _sign(_STATEMENT + statement.canonical().encode(), _unlock(folder, passphrase))
    return SignedStatement(statement=statement, signature=signature).canonical()


def verify_statement(text: str, kind: str, fields: Mapping[str, str], pinned: Ed25519PublicKey, now: datetime) -> None:
    """Return if `text` says `kind` about exactly `fields`, signed by the pinned key, and is in time; else raise MandateError."""
    try:
        signed = SignedStatement.model_validate_json(text)
    except ValidationError as error:
        msg = f"the statement to {kind} cannot be read; make it again at a terminal"
        raise MandateUnsignedError(msg) from error
    said = signed.statement
    _check(_STATEMENT + said.canonical().encode(), signed.signature, pinned, f"the statement to {kind}")
    if not said.issued_at <= now < said.expires_at:
        msg = f"the statement to {kind} holds from {said.issued_at} to {said.expires_at}, and now is {now}; make it again at a terminal"
        raise MandateExpiredError(msg)
    if said.kind != kind or said.fields != dict(fields):
        meant = f"{said.kind} {said.fields}, not {kind} {dict(fields)}"
        msg = f"the statement says {meant}: it is used up or meant for another desk; make it again at a terminal"
        raise MandateMismatchError(msg)


def _sign(content: bytes, key: Ed25519PrivateKey) -> Signature:
    return Signature(key=fingerprint(key.public_key()), signature=key.sign(content).hex())


def _check(content: bytes, signature: Signature, pinned: Ed25519PublicKey, what: str) -> None:
    if signature.key != fingerprint(pinned):
        msg = f"{what} is signed by another key ({signature.key[:16]}) than the pinned one ({fingerprint(pinned)[:16]}); sign it again"
        raise MandateUnsignedError(msg)
    try:
        pinned.verify(bytes.fromhex(signature.signature), content)
    except InvalidSignature as error:
        msg = f"{what} is not what was signed: text or signature was changed since. Look at it, then sign it again"
        raise MandateTamperedError(msg) from error


def _unlock(folder: Path, passphrase: str) -> Ed25519PrivateKey:
    path = folder / PRIVATE_KEY
    try:
        if S_IMODE(path.stat().st_mode) & 0o077:
            msg = f"others can read {path}; make it private again (chmod 600), and a new key if someone may have copied it"
            raise MandateError(msg)
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        msg = f"there is no operator key to sign with ({error}); run `mandate sign` at a terminal, which makes one"
        raise MandateMissingError(msg) from error
    except (ValueError, TypeError) as error:
        msg = f"{path} cannot be unlocked: the passphrase is wrong, or the file is damaged"
        raise MandateUnsignedError(msg) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path} is not an Ed25519 key; restore it from a backup"
        raise MandateMissingError(msg)
    return key


def _create(path: Path, mode: int, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        msg = f"{path} exists already and is kept; what it signed would be void. Move both operator files away to begin anew"
        raise MandateError(msg) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
