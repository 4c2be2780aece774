"""Settings: read from the environment once, frozen, all faults reported together."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gistapi import setting_values
from gistapi.errors import SettingsError

PREFIX = "GISTAPI_"
FROM_FILE = "_FILE"

# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_SERVICE_LINKS_HINT = (
    "comes from a Kubernetes Service named gistapi; set `enableServiceLinks: false` in the pod"
)


def _cache_url(value: str) -> str:
    schemes = ("sqlite:///", "redis://", "rediss://", "unix://")
    if value not in {"memory:", "off"} and not value.startswith(schemes):
        raise ValueError(f"should be `memory:`, `off`, or begin with one of {', '.join(schemes)}")
    return value


def _header_safe(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("should be one word of ASCII characters")
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


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _port(value: object) -> object:
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(_SERVICE_LINKS_HINT)
    return value


def _default_cache_url() -> str:
    return f"sqlite:///{user_cache_path('gistapi') / 'cache.sqlite3'}"


def _default_keys_file() -> Path:
    return user_data_path("gistapi") / "keys.json"


def _default_log_format() -> Literal["json", "text"]:
    return "text" if sys.stderr.isatty() else "json"


AtLeastOne = Annotated[int, Field(ge=1)]
Rate = Annotated[str, AfterValidator(_rate)]


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_KEY_CHARACTERS:
        raise ValueError(f"should have at least {MIN_KEY_CHARACTERS} characters")
    return value


Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(setting_values.network)], ...],
    NoDecode,
    BeforeValidator(setting_values.listed),
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(setting_values.origin)], ...],
    NoDecode,
    BeforeValidator(setting_values.listed),
]
MIN_KEY_CHARACTERS = 32


class Settings(BaseSettings):
    """What an operator can choose; each field is the environment variable GISTAPI_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535), BeforeValidator(_port)] = 9876
    github_api_url: Annotated[
        str, BeforeValidator(_stripped), AfterValidator(setting_values.api_url)
    ] = "https://api.github.com"
    github_content_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(setting_values.host)], ...],
        NoDecode,
        BeforeValidator(setting_values.listed),
        Field(min_length=1),
    ] = ("gist.githubusercontent.com", "gist.github.com")
    github_token: Annotated[
        SecretStr | None,
        BeforeValidator(_stripped),
        AfterValidator(lambda v: v and _header_safe(v)),
    ] = None
    github_concurrency: Annotated[int, Field(ge=1, le=100)] = 16
    # GitHub's secondary limit is 100 concurrent requests, its API and its other hosts together.
    github_concurrency_total: Annotated[int, Field(ge=1, le=100)] = 64
    github_timeout_seconds: Seconds = 10
    # Not in the repr: a redis:// URL may carry a password.
    cache_url: Annotated[str, AfterValidator(_cache_url)] = Field(
        default_factory=_default_cache_url, repr=False
    )
    cache_max_bytes: Annotated[ByteSize, Field(ge=2**20)] = ByteSize(2**30)
    cache_max_file_bytes: Annotated[ByteSize, Field(ge=2**20)] = ByteSize(100 * 2**20)
    listing_ttl_seconds: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)] = 60
    # How old a listing may be when GitHub is down or its budget spent; 0: none is used.
    listing_stale_seconds: Annotated[float, Field(ge=0, le=2592000, allow_inf_nan=False)] = 0
    search_deadline_seconds: Seconds = 60
    search_max_bytes: Annotated[ByteSize, Field(ge=2**20)] = ByteSize(2**30)
    pattern_timeout_seconds: Seconds = 2
    keys_file: Path = Field(default_factory=_default_keys_file)
    keys_optional: bool = False
    metrics_access: Literal["open", "key", "off"] = "open"
    # Of one caller: a key, or without one an address. None: without limit.
    rate_limit: Rate | None = None
    daily_limit: AtLeastOne | None = None
    key_total_limit: AtLeastOne | None = None
    caller_searches: AtLeastOne | None = None
    caller_github_requests: Rate | None = None
    caller_github_bytes: Annotated[ByteSize, Field(ge=2**20)] | None = None
    limits_fail_closed: bool = False
    # Who is denied stays out, whatever else is said; without a list everybody is allowed.
    allowed_addresses: Networks = ()
    denied_addresses: Networks = ()
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    cors_origins: Origins = ()
    captcha_key: Annotated[
        SecretStr | None,
        BeforeValidator(_stripped),
        AfterValidator(lambda v: v and _long_enough(v)),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)
    ] = "info"
    log_format: Annotated[Literal["json", "text"], BeforeValidator(_lowered)] = Field(
        default_factory=_default_log_format
    )

    def public(self) -> dict[str, str]:
        """Every variable's name and effective value, without what must not be seen."""
        return {variable(field): _shown(getattr(self, field)) for field in type(self).model_fields}


SECRETS = ("github_token", "cache_url", "captcha_key")
"""The fields that can come from a file named by `GISTAPI_<NAME>_FILE`."""


def load_settings() -> Settings:
    """The settings that the environment asks for.

    Raises:
        SettingsError: something in it is unknown or malformed; the message has a line for each.
    """
    names = {name.upper() for name, value in os.environ.items() if _is_ours(name) and value}
    faults = list(_unknown(names))
    from_files: dict[str, str] = {}
    for name in names & {variable(field) + FROM_FILE for field in SECRETS}:
        field = name.removeprefix(PREFIX).removesuffix(FROM_FILE).lower()
        try:
            from_files[field] = _read_secret(field, names)
        except (OSError, ValueError) as error:
            faults.append(f"{name}: {error}")
    try:
        settings = Settings.model_validate(from_files)
    except ValidationError as error:
        faults += [_fault(detail) for detail in error.errors()]
        raise SettingsError("\n".join(sorted(faults))) from None
    if faults:
        raise SettingsError("\n".join(sorted(faults)))
    return settings


def variable(field: str) -> str:
    """The name of the environment variable that sets `field`."""
    return PREFIX + field.upper()


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _unknown(names: Iterable[str]) -> Iterator[str]:
    known = [field.upper() for field in Settings.model_fields]
    known += [field.upper() + FROM_FILE for field in SECRETS]
    for name in names:
        word = name.removeprefix(PREFIX)
        if _SERVICE_LINK.fullmatch(name):
            yield f"{name}: {_SERVICE_LINKS_HINT}"
        elif word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            yield f"{name}: no such setting" + (
                f"; did you mean {PREFIX}{near[0]}?" if near else ""
            )


def _read_secret(field: str, names: Collection[str]) -> str:
    if variable(field) in names:
        raise ValueError(f"{variable(field)} is set as well; one of them has to go")
    path = next(v for k, v in os.environ.items() if k.upper() == variable(field) + FROM_FILE)
    return Path(path).read_text(encoding="utf-8").strip()


def _fault(detail: ErrorDetails) -> str:
    """One line on one malformed variable, its value shown unless it may hold a secret."""
    field = str(detail["loc"][0])
    message = detail["msg"].removeprefix("Value error, ")
    value = os.environ.get(variable(field), "")[:80]
    secret = field in SECRETS or "@" in value or not value
    return f"{variable(field)}: {message}" + ("" if secret else f" (it is {value!r})")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, str) and "://" in value:
        # redis-py reads a user and a password from the query too.
        return re.sub(r"//.*@", "//**********@", value.partition("?")[0])
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
