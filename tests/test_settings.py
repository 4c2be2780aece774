"""Settings: the values that the environment may have, and the reports of faulty ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gistapi.errors import SettingsError
from gistapi.settings import Settings, load_settings

CAPTCHA_KEY = "canary" * 6


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting from the environment."""
    for name in [name for name in os.environ if name.upper().startswith("GISTAPI_")]:
        monkeypatch.delenv(name)


def faults(monkeypatch: pytest.MonkeyPatch, **environ: str) -> list[str]:
    """The messages with which this environment is refused."""
    for name, value in environ.items():
        monkeypatch.setenv(f"GISTAPI_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return str(refused.value).splitlines()


def loaded(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Settings:
    """Load the settings of this environment."""
    for name, value in environ.items():
        monkeypatch.setenv(f"GISTAPI_{name}", value)
    return load_settings()


def test_default_paths_are_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache and the keys are in the folders for such files; docs/settings.md has the rest."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    settings = load_settings()
    assert settings.cache_url == "sqlite:////cache/gistapi/cache.sqlite3"
    assert settings.keys_file == Path("/data/gistapi/keys.json")


READ: dict[str, tuple[str, object]] = {
    "HOST": ("::", "::"),
    "PORT": ("80", 80),
    "ALLOWED_HOSTS": ("Gists.example.com, [::1]", ("gists.example.com", "::1")),
    "GITHUB_API_URL": (" http://127.0.0.1:9999/\n", "http://127.0.0.1:9999"),
    "GITHUB_CONTENT_HOSTS": (" 127.0.0.1:9998, [::1]:80", ("127.0.0.1:9998", "[::1]:80")),
    "GITHUB_TOKEN": (" ghp_canary\n", SecretStr("ghp_canary")),
    "CALLER_TOKENS": ("true", True),
    "GITHUB_CONCURRENCY": ("1", 1),
    "GITHUB_CONCURRENCY_TOTAL": ("100", 100),
    "GITHUB_TIMEOUT_SECONDS": ("0.5", 0.5),
    "CACHE_URL": ("memory:", "memory:"),
    "CACHE_MAX_BYTES": ("5MiB", 5 * 2**20),
    "CACHE_MAX_FILE_BYTES": ("20MB", 20_000_000),
    "LISTING_TTL_SECONDS": ("0", 0),
    "LISTING_RECONCILE_SECONDS": ("30", 30),
    "LISTING_STALE_SECONDS": ("86400", 86400),
    "SEARCH_DEADLINE_SECONDS": ("1.5", 1.5),
    "SEARCH_MAX_BYTES": ("2MiB", 2 * 2**20),
    "PATTERN_TIMEOUT_SECONDS": ("3", 3),
    "KEYS_FILE": ("keys.json", Path("keys.json")),
    "KEYS_REQUIRED": ("yes", True),
    "KEYS_OPTIONAL": ("true", True),
    "METRICS_ACCESS": ("key", "key"),
    "RATE_LIMIT": ("30/minute", "30/minute"),
    "DAILY_LIMIT": ("1000", 1000),
    "KEY_TOTAL_LIMIT": ("10000", 10000),
    "CALLER_SEARCHES": ("2", 2),
    "CALLER_GITHUB_REQUESTS": ("500 per 2 hours", "500 per 2 hours"),
    "CALLER_GITHUB_BYTES": ("100MB", 100_000_000),
    "LIMITS_FAIL_CLOSED": ("1", True),
    "ALLOWED_ADDRESSES": ("10.0.0.0/8, 2001:DB8::/32", ("10.0.0.0/8", "2001:db8::/32")),
    "DENIED_ADDRESSES": ("10.1.2.3", ("10.1.2.3/32",)),
    "TRUSTED_PROXIES": ("2", 2),
    "CORS_ORIGINS": ("https://A.com,http://b:3000", ("https://a.com", "http://b:3000")),
    "CAPTCHA_KEY": (f" {CAPTCHA_KEY}\n", SecretStr(CAPTCHA_KEY)),
    "LOG_LEVEL": ("DEBUG", "debug"),
    "LOG_FORMAT": ("Text", "text"),
}
"""A value of each variable, and the setting that it is read as."""


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is converted to the type of its setting."""
    settings = loaded(monkeypatch, **{name: value for name, (value, _) in READ.items()})
    assert settings.model_dump() == {name.lower(): read for name, (_, read) in READ.items()}


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose passes unset variables on as empty ones."""
    settings = loaded(monkeypatch, PORT=" ", GITHUB_TOKEN="", CACHE_URL_FILE="", NO_SUCH="\n")
    assert (settings.port, settings.github_token) == (9876, None)


def test_all_faults_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error lists unknown names, malformed values and unreadable files, one a line."""
    lines = faults(
        monkeypatch,
        PORT="http",
        HOTS="::",
        LOG_LEVEL="loud",
        CACHE_URL_FILE="/nonexistent",
        SOMETHING="1",
    )
    assert len(lines) == 5
    assert lines[0].startswith("GISTAPI_CACHE_URL_FILE: ")
    assert lines[1] == "GISTAPI_HOTS: no such setting; did you mean GISTAPI_HOST?"
    assert lines[2].startswith("GISTAPI_LOG_LEVEL: ")
    assert lines[2].endswith("(it is 'loud')")
    assert lines[3].startswith("GISTAPI_PORT: ")
    assert lines[4] == "GISTAPI_SOMETHING: no such setting"


def test_white_space_around_a_value_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for every type: a value read from a file ends with a newline."""
    settings = loaded(
        monkeypatch,
        HOST=" 127.0.0.1\n",
        PORT=" 80 ",
        KEYS_OPTIONAL=" true\n",
        LOG_LEVEL="\tDEBUG ",
        GITHUB_API_URL="https://api.github.com/\n",
        ALLOWED_ADDRESSES="\n10.0.0.0/8 \n",
        KEYS_FILE=" /keys.json\n",
        CACHE_MAX_BYTES=" 5MiB ",
    )
    assert (settings.host, settings.port, settings.keys_optional) == ("127.0.0.1", 80, True)
    assert (settings.log_level, settings.keys_file) == ("debug", Path("/keys.json"))
    assert settings.github_api_url == "https://api.github.com"
    assert (settings.allowed_addresses, settings.cache_max_bytes) == (("10.0.0.0/8",), 5 * 2**20)


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("127.0.0.1", ("localhost", "127.0.0.1", "::1")),
        ("::1", ("localhost", "127.0.0.1", "::1")),
        ("localhost", ("localhost", "127.0.0.1", "::1")),
        ("0.0.0.0", ()),  # noqa: S104 - a value to be read
        ("::", ()),
        ("gists.example.com", ()),
    ],
)
def test_on_loopback_only_its_host_names_are_allowed(
    monkeypatch: pytest.MonkeyPatch, host: str, hosts: tuple[str, ...]
) -> None:
    """A web page cannot reach a local service by another name; elsewhere all are allowed."""
    assert loaded(monkeypatch, HOST=host).allowed_hosts == hosts
    assert loaded(monkeypatch, ALLOWED_HOSTS="*").allowed_hosts == ()


def test_the_command_line_overrides_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`serve --host` decides which host names are allowed, as GISTAPI_HOST would."""
    monkeypatch.setenv("GISTAPI_HOST", "127.0.0.1")
    settings = load_settings({"host": "0.0.0.0", "port": 80})  # noqa: S104 - a value to be read
    assert (settings.host, settings.port, settings.allowed_hosts) == ("0.0.0.0", 80, ())  # noqa: S104
    with pytest.raises(SettingsError, match="GISTAPI_HOST: should be a host name"):
        load_settings({"host": "a b"})


def test_without_a_home_directory_the_message_names_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some defaults are in the home directory: without one they are faults, not a traceback."""

    def homeless(_name: str) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("gistapi.settings.user_cache_path", homeless)
    monkeypatch.setattr("gistapi.settings.user_data_path", homeless)
    lines = faults(monkeypatch, PORT="x")
    assert [line.partition(": ")[0] for line in lines] == [
        "GISTAPI_CACHE_URL",
        "GISTAPI_KEYS_FILE",
        "GISTAPI_PORT",
    ]
    assert lines[0].endswith("the user has no home directory; set it, or HOME")
    monkeypatch.delenv("GISTAPI_PORT")
    assert loaded(monkeypatch, CACHE_URL="off", KEYS_FILE="keys.json").cache_url == "off"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("HOST", ["a b", "a\nb", "127.0.0.1:80", "[::1]", "-x", "http://x", "a..b", "ä"]),
        ("HOST", [64 * "a", f"x.{64 * 'a'}.org"]),
        ("PORT", ["0", "65536", "-1", "9876.5", "x"]),
        ("ALLOWED_HOSTS", [",", "a b", "x:80", "http://x", "[::1", "[g]", "a,*.b"]),
        ("CALLER_TOKENS", ["perhaps"]),
        ("GITHUB_API_URL", ["x y", "https://x/a b", "https://x/\na", "https://x\t.org"]),
        ("GITHUB_API_URL", ["api.github.com", "ftp://x", "https://", "https://u@x"]),
        ("GITHUB_API_URL", ["https://x/?a=1", "https://x/#a", "https://ä.org", "https://a..b"]),
        ("GITHUB_API_URL", ["https://x:0", "https://x:99999", "https://x:port", "https://x:"]),
        ("GITHUB_API_URL", ["https://[::1", "https://[1]", "https://[:::]", "https://x\\y"]),
        ("GITHUB_API_URL", ["https://.a", f"https://{64 * 'a'}.org"]),
        ("GITHUB_CONTENT_HOSTS", [",", "https://x", "a b", "x:port", "user@x", "x:0", "x:"]),
        ("GITHUB_CONTENT_HOSTS", ["x/", "x?", "x:65536", "[:::]", "a\nb", "a..b", 64 * "a"]),
        ("GITHUB_TOKEN", ["a b", "a\nb", "ä"]),
        ("GITHUB_CONCURRENCY_TOTAL", ["0", "101", "many"]),
        ("GITHUB_TIMEOUT_SECONDS", ["0", "-1", "inf", "nan", "3601"]),
        ("CACHE_URL", ["sqlite:", "sqlite:///", "redis:x", "mysql://x", "OFF", "unix://"]),
        ("CACHE_URL", ["redis://h:port", "redis://h:99999", "redis://h?db=x"]),
        ("CACHE_MAX_BYTES", ["0", "1MB of it", "-5"]),
        ("LISTING_TTL_SECONDS", ["-1", "inf"]),
        ("LISTING_RECONCILE_SECONDS", ["-1", "nan", "86401"]),
        ("SEARCH_DEADLINE_SECONDS", ["0", "nan"]),
        ("KEYS_REQUIRED", ["maybe"]),
        ("KEYS_OPTIONAL", ["maybe"]),
        ("RATE_LIMIT", ["30", "0/minute", "30/fortnight", "1/second;30/minute", "a lot"]),
        ("DAILY_LIMIT", ["0", "many"]),
        ("CALLER_GITHUB_REQUESTS", ["60"]),
        ("CALLER_GITHUB_BYTES", ["1000", "lots"]),
        ("ALLOWED_ADDRESSES", [",", " , ,", "10.0.0.1/8", "example.com", "10.0.0.0/33"]),
        ("ALLOWED_ADDRESSES", ["::ffff:10.0.0.1"]),
        ("DENIED_ADDRESSES", [",", "10.0.0", "10.0.0.1:80", "[::1]", "10.0.0.1;10.0.0.2"]),
        ("TRUSTED_PROXIES", ["-1", "11", "all"]),
        ("CORS_ORIGINS", [",", "http://x:0", "*", "null"]),
        ("CORS_ORIGINS", ["example.com", "https://x.com/", "https://*.x.org"]),
    ],
)
def test_a_malformed_value_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, values: list[str]
) -> None:
    """Every setting has a type; documentation/test_settings tries the bounds in the page."""
    for value in values:
        (line,) = faults(monkeypatch, **{name: value})
        assert line.startswith(f"GISTAPI_{name}: "), value


def test_variables_set_by_kubernetes_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Service named gistapi sets GISTAPI_PORT and others; the message has the remedy."""
    link = "tcp://10.0.0.1:9876"
    lines = faults(
        monkeypatch, PORT=link, SERVICE_HOST="10.0.0.1", SERVICE_PORT="9876", PORT_9876_TCP=link
    )
    assert len(lines) == 4
    for line in lines:
        assert "Kubernetes Service" in line
        assert "`enableServiceLinks: false`" in line


@pytest.mark.parametrize(
    ("name", "field", "secret"),
    [
        ("GITHUB_TOKEN", "github_token", "ghp_canary"),
        ("CACHE_URL", "cache_url", "redis://:canary@h"),
        ("CAPTCHA_KEY", "captcha_key", CAPTCHA_KEY),
    ],
)
def test_a_secret_may_come_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, field: str, secret: str
) -> None:
    """`…_FILE` names a file with the value; white space around it is ignored."""
    path = tmp_path / "secret"
    path.write_text(f"{secret}\n")
    value = getattr(loaded(monkeypatch, **{f"{name}_FILE": str(path)}), field)
    assert (value if isinstance(value, str) else value.get_secret_value()) == secret


def test_a_secret_from_two_places_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The variable and its `_FILE` must not both be set."""
    path = tmp_path / "secret"
    path.write_text("one")
    (line,) = faults(monkeypatch, GITHUB_TOKEN="two", GITHUB_TOKEN_FILE=str(path))
    assert line.startswith("GISTAPI_GITHUB_TOKEN_FILE: GISTAPI_GITHUB_TOKEN is set as well")


def test_only_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`GISTAPI_PORT_FILE` is not a setting."""
    (line,) = faults(monkeypatch, PORT_FILE=str(tmp_path))
    assert "no such setting" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfes\x00", "is not UTF-8 text; save it as UTF-8"),
        (b"\xff", "is not UTF-8 text; save it as UTF-8"),
        (b"x" * (2**20 + 1), "is larger than 1 MiB"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (None, "No such file or directory"),
    ],
)
def test_a_secret_file_that_cannot_be_read_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, words: str
) -> None:
    """The message has the variable, the file and what is wrong with it."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    (line,) = faults(monkeypatch, GITHUB_TOKEN_FILE=str(path))
    assert line.startswith(f"GISTAPI_GITHUB_TOKEN_FILE: {path}")
    assert line.endswith(words)


def test_a_byte_order_mark_is_not_part_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some editors write one."""
    path = tmp_path / "secret"
    path.write_bytes(b"\xef\xbb\xbfghp_canary\r\n")
    token = loaded(monkeypatch, GITHUB_TOKEN_FILE=f" {path} ").github_token
    assert token is not None
    assert token.get_secret_value() == "ghp_canary"


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr, nor `public`, nor the message of a fault shows one."""
    settings = loaded(
        monkeypatch,
        GITHUB_TOKEN="canary",
        CACHE_URL="redis://canary:canary@h:1/0?password=canary",
        CAPTCHA_KEY=CAPTCHA_KEY,
    )
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings.public())
    assert settings.public()["GISTAPI_GITHUB_TOKEN"] == "**********"
    assert settings.public()["GISTAPI_CACHE_URL"] == "redis://**********@h:1/0"
    lines = faults(
        monkeypatch,
        GITHUB_TOKEN="canary canary",
        CAPTCHA_KEY="canary",
        CACHE_URL="redis:canary",
        GITHUB_API_URL="https://user:canary@api.github.com",
    )
    assert len(lines) == 4
    assert "canary" not in str(lines)


def test_public_names_every_variable() -> None:
    """The printed settings can be set again."""
    public = Settings().public()
    assert list(public) == [f"GISTAPI_{field.upper()}" for field in Settings.model_fields]
    assert public["GISTAPI_GITHUB_CONTENT_HOSTS"] == "gist.githubusercontent.com,gist.github.com"
    assert public["GISTAPI_CACHE_URL"].startswith("sqlite:////")
    assert public["GISTAPI_GITHUB_TOKEN"] == ""


def test_settings_are_frozen() -> None:
    """They are read once, at the start."""
    with pytest.raises(ValidationError):
        Settings().port = 1
