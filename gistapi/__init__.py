"""Which gists match a regular expression? A Flask service, a command and a client.

`create_app` builds the service as a WSGI application; `gistapi.client` searches through a running
one. The packages and what each may import: docs/decisions/layout.md.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is slow to import

if TYPE_CHECKING:
    from gistapi.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> object:
    # On demand: a process that only matches should not have to load the whole service.
    if name == "create_app":
        from gistapi.app import create_app  # noqa: PLC0415

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
