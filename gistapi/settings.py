"""Settings: read from the environment once, frozen; all faults are reported together."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from platformdirs import user_cache_path, user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gistapi import setting_values as values
from gistapi.errors import SettingsError

PREFIX = "GISTAPI_"
FROM_FILE = "_FILE"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

MIN_KEY_CHARACTERS = 32


# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINKS_HINT = (
    "comes from a Kubernetes Service named gistapi; set `enableServiceLinks: false` in the pod"
)
_SERVICE_LINK = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")


def _port(value: object) -> object:
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(_SERVICE_LINKS_HINT)
    return value


def _cache_url(value: str) -> str:
    """`memory:`, `off`, a path for SQLite, or an address that redis-py itself can read."""
    if value in {"memory:", "off"}:
        return value
    if value.startswith(values.REDIS):
        return _redis_url(value)
    if values.sqlite_path(value) is None:
        known = ", ".join((f"{values.SQLITE}PATH", *values.REDIS))
        raise ValueError(f"should be `memory:`, `off`, or one of {known}")
    return value


def _redis_url(value: str) -> str:
    from redis.connection import ConnectionPool  # noqa: PLC0415 - slow to load

    try:
        pool: ConnectionPool = ConnectionPool.from_url(value)
        options = pool.connection_kwargs
        pool.connection_class(**options)  # reads the options; connects later
    except Exception:  # noqa: BLE001  redis-py raises what its options' own readers raise
        raise ValueError("is not an address that redis-py can read") from None
    if value.startswith("unix:") and not options.get("path"):
        raise ValueError("names no socket")
    if not 1 <= options.get("port", 1) <= values.MAX_PORT:
        raise ValueError(f"has no valid port; it should be 1 to {values.MAX_PORT}")
    return value


def _rate(value: str) -> str:
    from limits import parse_many  # noqa: PLC0415 - slow to load, and few set a rate

    try:
        parsed = parse_many(value)
    except ValueError:
        parsed = []
    if len(parsed) != 1 or parsed[0].amount < 1:
        raise ValueError("should be as 30/minute, 500/hour or 100/2 hours")
    return value


def _one_word(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("should be one word of ASCII characters")
    return value


def _long_enough(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < MIN_KEY_CHARACTERS:
        raise ValueError(f"should have at least {MIN_KEY_CHARACTERS} characters")
    return value


def _default_cache_url() -> str:
    return f"sqlite:///{user_cache_path('gistapi') / 'cache.sqlite3'}"


def _default_keys_file() -> Path:
    return user_data_path("gistapi") / "keys.json"


def _default_hosts(fields: dict[str, Any]) -> tuple[str, ...]:
    return LOOPBACK_NAMES if values.is_loopback(fields["host"]) else ()


def _default_log_format() -> Literal["json", "text"]:
    return "text" if sys.stderr.isatty() else "json"


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(values.listed)]
Networks = Listed[Annotated[str, AfterValidator(values.network)]]
Rate = Annotated[str, AfterValidator(_rate)]
AtLeastOne = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Concurrency = Annotated[int, Field(ge=1, le=100)]
ListingAge = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
Size = Annotated[ByteSize, Field(ge=2**20)]


class Settings(BaseSettings):
    """What an operator can choose; each field is the environment variable GISTAPI_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: Annotated[str, AfterValidator(values.listen_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535), BeforeValidator(_port)] = 9876
    # The names that requests may use for this service (`Host`), without ports; none: any.
    allowed_hosts: Annotated[
        Listed[Annotated[str, AfterValidator(values.host_name)]], AfterValidator(values.any_host)
    ] = Field(default_factory=_default_hosts)
    github_api_url: Annotated[str, AfterValidator(values.api_url)] = "https://api.github.com"
    github_content_hosts: Listed[Annotated[str, AfterValidator(values.host)]] = (
        "gist.githubusercontent.com",
        "gist.github.com",
    )
    github_token: Annotated[SecretStr | None, AfterValidator(_one_word)] = None
    # Whether callers may send a GitHub token of their own.
    caller_tokens: bool = False
    github_concurrency: Concurrency = 16
    # GitHub's secondary limit is 100 concurrent requests, its API and its other hosts together.
    github_concurrency_total: Concurrency = 64
    github_timeout_seconds: Seconds = 10
    # Not in the repr: a redis:// URL may carry a password.
    cache_url: Annotated[str, AfterValidator(_cache_url)] = Field(
        default_factory=_default_cache_url, repr=False
    )
    cache_max_bytes: Size = ByteSize(2**30)
    cache_max_file_bytes: Size = ByteSize(100 * 2**20)
    listing_ttl_seconds: ListingAge = 60
    # How old a listing may be in which deleted gists are still listed.
    listing_reconcile_seconds: ListingAge = 600
    # How old a listing may be when GitHub is down or its budget spent; 0: none is used.
    listing_stale_seconds: Annotated[float, Field(ge=0, le=2592000, allow_inf_nan=False)] = 0
    search_deadline_seconds: Seconds = 60
    search_max_bytes: Size = ByteSize(2**30)
    pattern_timeout_seconds: Seconds = 2
    keys_file: Path = Field(default_factory=_default_keys_file)
    # Whether a key is required even if there never was a keys file.
    keys_required: bool = False
    keys_optional: bool = False
    metrics_access: Literal["open", "key", "off"] = "open"
    # Of one caller: a key, or without one an address. None: without limit.
    rate_limit: Rate | None = None
    daily_limit: AtLeastOne | None = None
    key_total_limit: AtLeastOne | None = None
    caller_searches: AtLeastOne | None = None
    caller_github_requests: Rate | None = None
    caller_github_bytes: Size | None = None
    limits_fail_closed: bool = False
    # Denied addresses are refused, allowed or not; without a list every address is allowed.
    allowed_addresses: Networks = ()
    denied_addresses: Networks = ()
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    cors_origins: Listed[Annotated[str, AfterValidator(values.origin)]] = ()
    captcha_key: Annotated[SecretStr | None, AfterValidator(_long_enough)] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(values.lowered)
    ] = "info"
    log_format: Annotated[Literal["json", "text"], BeforeValidator(values.lowered)] = Field(
        default_factory=_default_log_format
    )

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Ignore white space around each value; what is only white space is not set."""
        stripped = {k: v.strip() if isinstance(v, str) else v for k, v in fields.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return values.is_loopback(self.host)

    def public(self) -> dict[str, str]:
        """Return each variable's name and effective value, secrets hidden."""
        return {
            variable(field): values.shown(getattr(self, field)) for field in type(self).model_fields
        }


SECRETS = ("github_token", "cache_url", "captcha_key")
"""The fields that can come from a file named by `GISTAPI_<NAME>_FILE`."""


COMMAND = ("SERVER", "SERVER_KEY_FILE", "CONFIG_FILE")
"""Variables of `gistapi search`, which are not settings of the service."""


def load_settings(given: Mapping[str, object] | None = None) -> Settings:
    """Return the environment's settings, overridden by the `given` fields.

    Raises:
        SettingsError: something in it is unknown or malformed; the message has a line for each.
    """
    names = {name.upper() for name, value in os.environ.items() if _is_ours(name) and value.strip()}
    found: dict[str, object] = {}
    faults = [*_unknown(names), *_from_files(names, found), *_homeless(names, found)]
    settings = None
    try:
        settings = Settings.model_validate(found | dict(given or {}))
    except ValidationError as error:
        # A default that depends on a malformed field is no fault of its own.
        details = [d for d in error.errors() if d["type"] != "default_factory_not_called"]
        faults += map(_fault, details)
    if faults or settings is None:
        raise SettingsError("\n".join(sorted(faults)))
    return settings


def variable(field: str) -> str:
    """Return the name of the environment variable that sets `field`."""
    return PREFIX + field.upper()


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _unknown(names: Iterable[str]) -> Iterator[str]:
    known = [field.upper() for field in Settings.model_fields]
    known += [field.upper() + FROM_FILE for field in SECRETS]
    known += COMMAND
    for name in names:
        word = name.removeprefix(PREFIX)
        if _SERVICE_LINK.fullmatch(name):
            yield f"{name}: {_SERVICE_LINKS_HINT}"
        elif word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            yield f"{name}: no such setting" + (
                f"; did you mean {PREFIX}{near[0]}?" if near else ""
            )


def _from_files(names: Collection[str], found: dict[str, object]) -> Iterator[str]:
    """Read the secrets that come from files into `found`; yield what is wrong with them."""
    for field in SECRETS:
        name = variable(field) + FROM_FILE
        if name not in names:
            continue
        if variable(field) in names:
            yield f"{name}: {variable(field)} is set as well; remove one of them"
            continue
        path = {key.upper(): value for key, value in os.environ.items()}[name]
        try:
            found[field] = values.content_of(Path(path.strip()))
        except ValueError as error:
            yield f"{name}: {error}"


def _homeless(names: Collection[str], found: dict[str, object]) -> Iterator[str]:
    """Yield the settings whose default lies in a home directory that the user does not have."""
    for field, default in (("cache_url", _default_cache_url), ("keys_file", _default_keys_file)):
        if field not in found and variable(field) not in names:
            try:
                found[field] = default()
            except RuntimeError:  # platformdirs' error
                found[field] = "off"
                yield f"{variable(field)}: the user has no home directory; set it, or HOME"


def _fault(detail: ErrorDetails) -> str:
    """Return a line on a malformed variable, with its value unless that may hold a secret."""
    field = str(detail["loc"][0])
    message = detail["msg"].removeprefix("Value error, ")
    value = os.environ.get(variable(field), "")[:80]
    secret = field in SECRETS or "@" in value or not value
    return f"{variable(field)}: {message}" + ("" if secret else f" (it is {value!r})")
