"""The operator's key: encrypted at rest, pinned, and signing exactly one purpose at a time."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from trading_bot.domain.errors import (
    MandateError,
    MandateExpiredError,
    MandateMismatchError,
    MandateMissingError,
    MandateTamperedError,
    MandateUnsignedError,
)
from trading_bot.risk.operator import (
    check_signature,
    create_operator_key,
    fingerprint,
    pinned_key,
    sign,
    sign_statement,
    verify_statement,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORDS = "correct horse"
FIELDS = {"desk": "desk01", "number": "4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an operator's key."""
    made = tmp_path_factory.mktemp("operator")
    create_operator_key(made, WORDS)
    return made


@pytest.fixture(scope="module")
def pinned(folder: Path) -> Ed25519PublicKey:
    """Its public key."""
    return pinned_key(folder)


@pytest.fixture(scope="module")
def resume(folder: Path) -> str:
    """A statement to resume desk01 from state 4."""
    return sign_statement("resume", FIELDS, folder, WORDS, NOW)


def test_a_new_key_is_encrypted_private_and_pinned(tmp_path: Path) -> None:
    """The private half cannot be read without the passphrase, by this program or by others."""
    public = create_operator_key(tmp_path / "new" / "folder", WORDS)
    private = tmp_path / "new" / "folder" / "operator.key"
    assert private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert fingerprint(pinned_key(tmp_path / "new" / "folder")) == fingerprint(public)


def test_a_key_is_never_overwritten(folder: Path) -> None:
    """What it signed would be void."""
    before = (folder / "operator.key").read_bytes()
    with pytest.raises(MandateError, match="exists already and is kept"):
        create_operator_key(folder, WORDS)
    assert (folder / "operator.key").read_bytes() == before


@pytest.mark.parametrize("passphrase", ["", "1234567"])
def test_a_short_passphrase_is_refused(passphrase: str, tmp_path: Path) -> None:
    """No file is left behind."""
    with pytest.raises(MandateError, match="at least 8 characters"):
        create_operator_key(tmp_path, passphrase)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_hold_a_key_is_refused(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    with pytest.raises(MandateError, match="cannot hold the operator's key"):
        create_operator_key(tmp_path / "file", WORDS)


def test_a_signature_holds_for_exactly_these_bytes(folder: Path, pinned: Ed25519PublicKey) -> None:
    """Not for one more space."""
    signature = sign(b"mandate", folder, WORDS)
    check_signature(b"mandate", signature, pinned)
    with pytest.raises(MandateTamperedError, match="not what was signed"):
        check_signature(b"mandate ", signature, pinned)


@pytest.mark.parametrize("signature", [b"", b"nonsense", b"{}", b'{"key":1,"signature":""}'])
def test_what_is_no_signature_counts_as_unsigned(signature: bytes, pinned: Ed25519PublicKey) -> None:
    """The message says to sign."""
    with pytest.raises(MandateUnsignedError, match="run `mandate sign`"):
        check_signature(b"mandate", signature, pinned)


@pytest.mark.parametrize(
    ("change", "error"),
    [("0" * 128, MandateTamperedError), ("", MandateUnsignedError), ("é", MandateUnsignedError), ("F" * 128, MandateUnsignedError)],
)
def test_a_signature_that_was_changed_does_not_hold(change: str, error: type[MandateError], folder: Path, pinned: Ed25519PublicKey) -> None:
    """Right key named, wrong signature, or nothing that could be one."""
    parsed = json.loads(sign(b"mandate", folder, WORDS))
    with pytest.raises(error):
        check_signature(b"mandate", json.dumps({**parsed, "signature": change}).encode(), pinned)


def test_another_keys_signature_counts_as_unsigned_even_under_our_name(tmp_path: Path, pinned: Ed25519PublicKey) -> None:
    """Saying that it is by the pinned key does not make it so."""
    create_operator_key(tmp_path, WORDS)
    signature = sign(b"mandate", tmp_path, WORDS)
    with pytest.raises(MandateUnsignedError, match="signed by another key"):
        check_signature(b"mandate", signature, pinned)
    renamed = json.dumps({**json.loads(signature), "key": fingerprint(pinned)}).encode()
    with pytest.raises(MandateTamperedError):
        check_signature(b"mandate", renamed, pinned)


def test_a_wrong_passphrase_signs_nothing(folder: Path) -> None:
    """Neither does an empty one."""
    for passphrase in ("wrong horse", ""):
        with pytest.raises(MandateUnsignedError, match="the passphrase is wrong"):
            sign(b"mandate", folder, passphrase)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The message says how to mend it."""
    create_operator_key(tmp_path, WORDS)
    (tmp_path / "operator.key").chmod(0o640)
    with pytest.raises(MandateError, match="chmod 600"):
        sign(b"mandate", tmp_path, WORDS)


def test_without_a_key_nothing_is_signed_or_believed(tmp_path: Path) -> None:
    """The messages say how to make one."""
    with pytest.raises(MandateMissingError, match="run `mandate sign`"):
        sign(b"mandate", tmp_path, WORDS)
    with pytest.raises(MandateMissingError, match="run `mandate sign`"):
        pinned_key(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only Ed25519 counts, and a file that is no key counts for nothing."""
    other = generate_private_key(SECP256R1())
    pem, spki, pkcs8 = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PrivateFormat.PKCS8
    (tmp_path / "operator.pub").write_bytes(other.public_key().public_bytes(pem, spki))
    with pytest.raises(MandateMissingError, match="not an Ed25519 key"):
        pinned_key(tmp_path)
    (tmp_path / "operator.pub").write_text("notes")
    with pytest.raises(MandateMissingError, match="not a public key"):
        pinned_key(tmp_path)
    (tmp_path / "operator.key").touch(mode=0o600)
    (tmp_path / "operator.key").write_bytes(other.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(WORDS.encode())))
    with pytest.raises(MandateMissingError, match="not an Ed25519 key"):
        sign(b"mandate", tmp_path, WORDS)


def test_a_statement_holds_from_its_making_for_five_minutes(resume: str, pinned: Ed25519PublicKey) -> None:
    """The first moment is in, the last is out."""
    for now in (NOW, NOW + timedelta(minutes=5) - timedelta(microseconds=1)):
        verify_statement(resume, "resume", FIELDS, pinned, now)
    for now in (NOW - timedelta(microseconds=1), NOW + timedelta(minutes=5)):
        with pytest.raises(MandateExpiredError, match="make it again at a terminal"):
            verify_statement(resume, "resume", FIELDS, pinned, now)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("approve", FIELDS),
        ("resume", {**FIELDS, "number": "5"}),
        ("resume", {**FIELDS, "desk": "desk02"}),
        ("resume", {"desk": "desk01"}),
        ("resume", {**FIELDS, "more": ""}),
    ],
)
def test_a_statement_fits_once_and_nowhere_else(kind: str, fields: dict[str, str], resume: str, pinned: Ed25519PublicKey) -> None:
    """After a resume the desk's number has moved on: a replay is refused."""
    with pytest.raises(MandateMismatchError, match="used up or meant for another desk"):
        verify_statement(resume, kind, fields, pinned, NOW)


def _longer(parsed: dict[str, dict[str, object]]) -> None:
    parsed["statement"]["expires_at"] = "2030-01-01T00:00:00Z"


def _other_number(parsed: dict[str, dict[str, object]]) -> None:
    parsed["statement"]["fields"] = {**FIELDS, "number": "5"}


@pytest.mark.parametrize("change", [_longer, _other_number])
def test_an_edited_statement_is_refused(
    change: Callable[[dict[str, dict[str, object]]], None], resume: str, pinned: Ed25519PublicKey
) -> None:
    """The signature covers all of it."""
    parsed = json.loads(resume)
    change(parsed)
    with pytest.raises(MandateTamperedError, match="the statement to resume is not what was signed"):
        verify_statement(json.dumps(parsed), "resume", parsed["statement"]["fields"], pinned, NOW)


@pytest.mark.parametrize("text", ["", "{}", "resume please"])
def test_what_is_no_statement_is_refused(text: str, pinned: Ed25519PublicKey) -> None:
    """A word alone resumes nothing."""
    with pytest.raises(MandateUnsignedError, match="cannot be read"):
        verify_statement(text, "resume", FIELDS, pinned, NOW)


def test_a_statement_by_another_key_is_refused(tmp_path: Path, pinned: Ed25519PublicKey) -> None:
    """Whoever can write the inbox cannot resume the desk."""
    create_operator_key(tmp_path, WORDS)
    with pytest.raises(MandateUnsignedError, match="signed by another key"):
        verify_statement(sign_statement("resume", FIELDS, tmp_path, WORDS, NOW), "resume", FIELDS, pinned, NOW)


def test_a_statement_is_no_mandate(folder: Path, pinned: Ed25519PublicKey, resume: str) -> None:
    """A signature for one purpose is none for another."""
    parsed = json.loads(resume)
    text = json.dumps(parsed["statement"], sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(MandateTamperedError):
        check_signature(text, json.dumps(parsed["signature"]).encode(), pinned)
    signature = json.loads(sign(text, folder, WORDS))
    with pytest.raises(MandateTamperedError):
        verify_statement(json.dumps({**parsed, "signature": signature}), "resume", FIELDS, pinned, NOW)
