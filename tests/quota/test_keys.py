"""The file of keys: made, looked up, revoked; never open when it can't be read."""

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
    """Give a path where no file is yet, in a folder that is not there either."""
    return tmp_path / "gistapi" / "keys.json"


def test_a_key_has_256_random_bits_and_is_found_by_its_name(path: Path) -> None:
    """`gak_` and 43 letters of base64; each is another one."""
    file = KeyFile(path)
    first, second = file.create("ci"), file.create("phone")
    assert re.fullmatch(PREFIX + r"[A-Za-z0-9_-]{43}", first)
    assert first != second
    found = [
        file.find(key) for key in (second, first, first[:-1], first + "x", "", "gak_", "ä\ud800")
    ]
    assert [key and key.name for key in found] == ["phone", "ci", None, None, None, None, None]


def test_the_file_holds_no_key_and_nobody_else_can_read_it(path: Path) -> None:
    """It has a hash of each; the file and its folder are the owner's alone."""
    secret = KeyFile(path).create("ci")
    assert secret not in path.read_text("utf-8")
    assert secret.removeprefix(PREFIX)[:8] not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    names = {entry.name for entry in path.parent.iterdir()}
    assert names <= {path.name, path.name + MARKER}


def test_without_a_file_there_are_no_keys(path: Path) -> None:
    """Then none is required."""
    file = KeyFile(path)
    assert not file.exists()
    assert file.entries() == ()
    assert file.find("gak_x") is None


def test_a_change_by_another_is_seen_at_once(path: Path) -> None:
    """What the command writes, the running service has read with the next request."""
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


def test_when_the_last_key_is_revoked_a_key_is_still_required(path: Path) -> None:
    """Whoever revokes wants to lock out."""
    file = KeyFile(path)
    file.create("ci")
    file.revoke("ci")
    assert file.exists()
    assert file.entries() == ()


@pytest.mark.parametrize("name", ["", "a b", "-x", "ä", "a/b", "x" * 65, "a\n"])
def test_a_name_is_a_plain_word(path: Path, name: str) -> None:
    """It stands in logs and lists."""
    with pytest.raises(ValueError, match="name"):
        KeyFile(path).create(name)
    assert not path.exists()


def test_a_name_stands_for_one_key(path: Path) -> None:
    """A second key of that name is refused, as is revoking one that is not there."""
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
def test_a_damaged_file_lets_nobody_in(path: Path, content: bytes) -> None:
    """Not those either whose keys it had; mended, it is read again."""
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


def test_a_file_that_vanishes_or_is_none_lets_nobody_in(path: Path) -> None:
    """A service that had keys does not open when their file is gone; nor without a right to it."""
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


def test_a_file_that_is_gone_keeps_the_door_closed_at_the_next_start(path: Path) -> None:
    """A marker beside it remembers it; the message names the ways out, and both work."""
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


def test_a_file_that_was_put_there_is_remembered_too(path: Path, tmp_path: Path) -> None:
    """Not only `gistapi keys` writes it: a volume or an operator may."""
    KeyFile(path).create("ci")
    copied = tmp_path / "keys.json"
    copied.write_bytes(path.read_bytes())
    assert KeyFile(copied).exists()
    copied.unlink()
    with pytest.raises(KeyFileError, match="is missing"):
        KeyFile(copied).exists()


def test_a_required_file_need_not_have_been_there(path: Path) -> None:
    """Where no marker can be written, as beside a mounted secret, the setting says so."""
    with pytest.raises(KeyFileError, match=r"GISTAPI_KEYS_REQUIRED\)\. Restore it"):
        KeyFile(path, required=True).exists()
    secret = KeyFile(path, required=True).create("ci")
    assert KeyFile(path, required=True).find(secret)


def test_a_byte_order_mark_does_no_harm(path: Path) -> None:
    """Some editors write one in front of UTF-8."""
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
def test_what_is_wrong_with_a_file_is_said_in_words(path: Path, content: bytes, words: str) -> None:
    """The operator reads what to do, not a library's own message."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(KeyFileError) as refused:
        KeyFile(path).exists()
    assert str(refused.value) == f"the key file {path} is damaged: {words}"


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    """Processes take turns; none writes over another's."""
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


def test_the_command_makes_lists_and_revokes(path: Path) -> None:
    """A key is printed once, alone; a fault is reported on standard error with exit code 2."""
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
