"""The `gistapi` command: `search`, `serve`, `config`, `keys`, and its documents.

Offers `main`. It prints and reads options; searches run in `search` (through `app`) or in a running
service (through `client`). May import everything but the inside of `web`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is slow to import

if TYPE_CHECKING:
    from gistapi.cli.root import main

__all__ = ["main"]


def __getattr__(name: str) -> object:
    # On demand: signals are handled before click is imported.
    if name == "main":
        from gistapi.cli.root import main  # noqa: PLC0415

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
