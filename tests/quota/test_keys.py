"""The key file: created, read, changed; a file that can't be read admits nobody."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gistapi.errors import KeyFileError
from gistapi.quota.keys import MARKER, PREFIX, KeyFile
from tests.serving import ROOT, environment, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist, in a folder that does not exist either."""
    return tmp_path / "gistapi" / "keys.json"


def test_a_key_has_256_random_bits(path: Path) -> None:
    """It is `gak_` and 43 letters of base64, and is looked up to its name."""
    file = KeyFile(path)
    first, second = file.create("ci"), file.create("phone")
    assert re.fullmatch(PREFIX + r"[A-Za-z0-9_-]{43}", first)
    assert first != second
    found = [
        file.find(key) for key in (second, first, first[:-1], first + "x", "", "gak_", "ä\ud800")
    ]
    assert [key and key.name for key in found] == ["phone", "ci", None, None, None, None, None]


def test_the_file_is_private_and_holds_hashes(path: Path) -> None:
    """It has a hash of each key; only the owner can read it and its folder."""
    secret = KeyFile(path).create("ci")
    assert secret not in path.read_text("utf-8")
    assert secret.removeprefix(PREFIX)[:8] not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    names = {entry.name for entry in path.parent.iterdir()}
    assert names <= {path.name, path.name + MARKER}


def test_without_a_file_there_are_no_keys(path: Path) -> None:
    """None is required then."""
    file = KeyFile(path)
    assert not file.exists()
    assert file.entries() == ()
    assert file.find("gak_x") is None


def test_a_change_by_another_process_is_read_at_once(path: Path) -> None:
    """A running service uses what the command wrote from the next request on."""
    service, command = KeyFile(path), KeyFile(path)
    assert not service.exists()
    secret = command.create("ci")
    assert service.exists()
    assert service.find(secret)
    command.revoke("ci")
    assert service.find(secret) is None
    again = command.create("ci")
    assert service.find(secret) is None
    assert service.find(again)


def test_after_the_last_revocation_a_key_is_still_required(path: Path) -> None:
    """Revoking a key must not open the service."""
    file = KeyFile(path)
    file.create("ci")
    file.revoke("ci")
    assert file.exists()
    assert file.entries() == ()


@pytest.mark.parametrize("name", ["", "a b", "-x", "ä", "a/b", "x" * 65, "a\n"])
def test_a_key_name_has_plain_characters(path: Path, name: str) -> None:
    """It is shown in logs and lists."""
    with pytest.raises(ValueError, match="name"):
        KeyFile(path).create(name)
    assert not path.exists()


def test_a_key_name_is_unique(path: Path) -> None:
    """A second key with that name is refused, as is revoking a key that does not exist."""
    file = KeyFile(path)
    secret = file.create("ci")
    with pytest.raises(ValueError, match="already"):
        file.create("ci")
    with pytest.raises(ValueError, match="no key"):
        file.revoke("phone")
    assert file.find(secret)


ENTRY = {"name": "ci", "sha256": "0" * 64, "created": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"keys": {}, "x": ' + b" " * 2**20 + b"1}",
        *(
            json.dumps({"keys": keys}).encode()
            for keys in (
                [1],
                [{"name": "ci"}],
                [ENTRY | {"more": 1}],
                [ENTRY | {"sha256": "gak_x"}],
                [ENTRY | {"name": "a b"}],
                [ENTRY | {"created": 1}],
                [ENTRY, ENTRY],
            )
        ),
    ],
)
def test_a_damaged_file_admits_nobody(path: Path, content: bytes) -> None:
    """Not even the keys it had; when it is repaired, it is read again."""
    file = KeyFile(path)
    secret = file.create("ci")
    good = path.read_bytes()
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(KeyFileError, match=re.escape(str(path))):
            file.find(secret)
        with pytest.raises(KeyFileError):
            file.exists()
    with pytest.raises(KeyFileError):
        file.create("phone")
    assert path.read_bytes() == content
    path.write_bytes(good)
    assert file.find(secret)


def test_a_missing_or_unreadable_file_admits_nobody(path: Path) -> None:
    """A service that had keys stays closed when their file is deleted or cannot be read."""
    file = KeyFile(path)
    secret = file.create("ci")
    assert file.exists()
    path.unlink()
    with pytest.raises(
        KeyFileError, match="is missing, and keys are required, for it was there before"
    ):
        file.exists()
    path.mkdir()
    with pytest.raises(KeyFileError, match="directory"):
        file.find(secret)
    with pytest.raises(KeyFileError, match="Not a directory"):
        KeyFile(ROOT / "README.md" / "keys.json").exists()
    with pytest.raises(KeyFileError):
        KeyFile(ROOT / "README.md" / "keys.json").create("ci")


def test_a_deleted_file_admits_nobody_after_a_restart(path: Path) -> None:
    """A marker beside it records it; the message names the remedies, and both work."""
    KeyFile(path).create("ci")
    assert KeyFile(path).exists()
    path.unlink()
    with pytest.raises(KeyFileError) as refused:
        KeyFile(path).exists()
    assert "gistapi keys create" in str(refused.value)
    assert f"To open the service to all, remove {path}{MARKER}." in str(refused.value)
    secret = KeyFile(path).create("ci")
    assert KeyFile(path).find(secret)
    path.unlink()
    Path(f"{path}{MARKER}").unlink()
    assert not KeyFile(path).exists()


def test_a_file_written_otherwise_has_a_marker_too(path: Path, tmp_path: Path) -> None:
    """A volume or an operator may have put it there, not `gistapi keys`."""
    KeyFile(path).create("ci")
    copied = tmp_path / "keys.json"
    copied.write_bytes(path.read_bytes())
    assert KeyFile(copied).exists()
    copied.unlink()
    with pytest.raises(KeyFileError, match="is missing"):
        KeyFile(copied).exists()


def test_a_setting_can_require_keys(path: Path) -> None:
    """This is for places where no marker can be written, as beside a mounted secret."""
    with pytest.raises(KeyFileError, match=r"GISTAPI_KEYS_REQUIRED\)\. Restore it"):
        KeyFile(path, required=True).exists()
    secret = KeyFile(path, required=True).create("ci")
    assert KeyFile(path, required=True).find(secret)


def test_a_byte_order_mark_is_ignored(path: Path) -> None:
    """Some editors write one."""
    file = KeyFile(path)
    secret = file.create("ci")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert file.find(secret)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"keys": []}'.encode("utf-16"), "it is not UTF-8 text; save it as UTF-8"),
        (b"\xff", "it is not UTF-8 text; save it as UTF-8"),
        (b'{"keys":\n[', "it is not JSON (line 2)"),
    ],
)
def test_a_faulty_file_is_reported_in_plain_words(path: Path, content: bytes, words: str) -> None:
    """The message says what to do, and has no text of a library."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(KeyFileError) as refused:
        KeyFile(path).exists()
    assert str(refused.value) == f"the key file {path} is damaged: {words}"


def test_keys_created_at_the_same_time_are_all_kept(path: Path) -> None:
    """Processes lock the file, so none overwrites another's key."""
    command = [sys.executable, "-m", "gistapi", "keys", "create"]
    environ = environment(keys_file=path)
    running = [
        subprocess.Popen([*command, f"k{number}"], env=environ, stdout=subprocess.PIPE, text=True)
        for number in range(6)
    ]
    file = KeyFile(path)
    for number, process in enumerate(running):
        secret, _ = process.communicate(timeout=60)
        found = file.find(secret.strip())
        assert found
        assert found.name == f"k{number}"


def test_the_command_creates_lists_and_revokes_keys(path: Path) -> None:
    """A key is printed once, alone; an error goes to standard error with exit code 2."""
    environ = environment(keys_file=path)
    gistapi = (sys.executable, "-m", "gistapi", "keys")
    made = run(*gistapi, "create", "ci", environ=environ)
    assert (made.returncode, made.stderr) == (0, "")
    assert KeyFile(path).find(made.stdout.strip())
    listed = run(*gistapi, "list", environ=environ)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  ci\n", listed.stdout)
    twice = run(*gistapi, "create", "ci", environ=environ)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert twice.stderr == "Error: there is a key named ci already\n"
    revoked = run(*gistapi, "revoke", "ci", environ=environ)
    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert "every request to /api is refused" in revoked.stderr
    path.write_text("{")
    damaged = run(*gistapi, "list", environ=environ)
    assert damaged.returncode == 2
    assert "is damaged" in damaged.stderr
    served = run(sys.executable, "-m", "gistapi", "serve", environ=environ)
    assert (served.returncode, served.stdout) == (2, "")
    assert served.stderr.startswith(f"Error: the key file {path} is damaged: ")
