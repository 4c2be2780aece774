"""The configuration file of `gistapi search`: defaults for its options, in TOML."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import click

VARIABLE = "GISTAPI_CONFIG_FILE"
FLAGS = {
    "ignore-case": ("case", "ignore"),
    "smart-case": ("case", "smart"),
    "multiline": ("lines", "spans"),
    "no-multiline": ("lines", "whole"),
}
"""Options that choose a value of a parameter."""
PARAMETERS = {
    "server": "server",
    "key-file": "key_file",
    "glob": "globs",
    "type": "languages",
    "context": "context",
    "max-columns": "max_columns",
    "max-columns-preview": "max_columns_preview",
    "heading": "heading",
    "line-number": "line_number",
    "column": "column",
    "sort": "sort",
    "color": "color",
    "hyperlink": "hyperlink",
    "stats": "stats",
    "verbose": "verbose",
}
"""Options allowed in the file, and the parameters they set."""


def path() -> Path | None:
    """Where the file is or would be; None for a user without a home directory."""
    from platformdirs import user_config_path  # noqa: PLC0415 - --help needs none

    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    try:
        return user_config_path("gistapi") / "config.toml"
    except RuntimeError:  # platformdirs' error
        return None


def defaults(file: Path | None) -> dict[str, object]:
    """The parameters' defaults that a file sets; none if there is no file.

    Raises:
        click.UsageError: the file cannot be read, or sets something that is not an option.
    """
    found: dict[str, object] = {}
    if file is None:
        return found
    for name, value in _read(file).items():
        if name in PARAMETERS:
            found[PARAMETERS[name]] = _expanded(file, value) if name == "key-file" else value
        elif name not in FLAGS:
            near = difflib.get_close_matches(name, [*FLAGS, *PARAMETERS], n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"{file}: {name} is not an option that can be set here.{hint}")
        elif value is True:
            parameter, chosen = FLAGS[name]
            found[parameter] = chosen
    return found


def _read(file: Path) -> dict[str, object]:
    import tomllib  # noqa: PLC0415 - --help needs none

    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise click.UsageError(f"{file}: there is no such file ({VARIABLE}).") from None
        return {}
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{file}: not TOML: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "not UTF-8"
        raise click.UsageError(f"{file}: cannot be read: {words}.") from None
    except (ValueError, RecursionError):
        words = "a number has too many digits, or it is nested too deeply"
        raise click.UsageError(f"{file}: cannot be read: {words}.") from None


def _expanded(file: Path, value: object) -> str:
    """The path of the key file, with the home directory for `~`."""
    if not isinstance(value, str):
        raise click.UsageError(f"{file}: key-file is not a string.")
    try:
        return str(Path(value).expanduser())
    except RuntimeError:
        raise click.UsageError(f"{file}: key-file: there is no home directory.") from None
