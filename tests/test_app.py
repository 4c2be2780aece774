"""The composition root: `build_service` and `create_app`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient

import gistapi
from gistapi.aio.scope import Scope
from gistapi.app import create_app, service_of
from gistapi.cache import open_cache
from gistapi.errors import SettingsError
from gistapi.models import Page, Target
from gistapi.settings import Settings
from tests.fake_github import FakeGithub, Fault
from tests.serving import environment, run

SEARCH = "/api/v1/search"


def settings(github: FakeGithub, **more: object) -> Settings:
    """Settings for this GitHub."""
    given = {
        "github_api_url": github.api_url,
        "github_content_hosts": (github.raw_host,),
        "cache_url": "memory:",
    }
    return Settings.model_validate(given | more)


@contextmanager
def service(used: Settings) -> Iterator[FlaskClient]:
    """A client of a whole service, which is closed afterwards."""
    app = create_app(used)
    try:
        yield app.test_client()
    finally:
        service_of(app).close()


def test_an_app_searches_the_github_of_its_settings(github: FakeGithub) -> None:
    """A search sends requests to it."""
    user = github.add_user("octocat")
    user.generate(120)
    pattern = r"import \w+"
    with service(settings(github)) as client:
        answer = client.post(SEARCH, json={"username": "octocat", "pattern": pattern})
    assert answer.get_json() == {
        "status": "success",
        "username": "octocat",
        "pattern": pattern,
        "matches": user.matching(pattern),
    }


def test_the_settings_bound_a_search(github: FakeGithub) -> None:
    """With `SEARCH_DEADLINE_SECONDS`, the answer is partial and has `next`."""
    github.add_user("octocat").add_gist({"a": "x"})
    github.faults.inject(Fault(held=threading.Event()), origin="raw")
    with service(settings(github, search_deadline_seconds=6)) as client:
        answer = client.post(SEARCH, json={"username": "octocat", "pattern": "y"})
    assert answer.get_json()["status"] == "partial"


def test_a_source_and_a_cache_may_be_passed_in() -> None:
    """GitHub then receives no request, and the caller closes the cache."""

    class Empty:
        async def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
            assert scope.caller_token is None
            yield Page((), last=target == Target("username", "octocat"))

    cache = open_cache("memory:")
    app = create_app(Settings(), source=Empty(), cache=cache)  # type: ignore[arg-type]
    answer = app.test_client().post(SEARCH, json={"username": "octocat", "pattern": "x"})
    assert answer.get_json()["matches"] == []
    assert service_of(app).cache is cache
    service_of(app).close()


def test_settings_are_read_from_the_environment_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their faults are raised before anything is built."""
    monkeypatch.setenv("GISTAPI_PORT", "http")
    with pytest.raises(SettingsError, match="GISTAPI_PORT"):
        create_app()


def test_the_package_exports_the_factory_alone() -> None:
    """`from gistapi import create_app` works; other names raise the usual error."""
    assert gistapi.create_app is create_app
    with pytest.raises(AttributeError, match="no_such"):
        _ = gistapi.no_such


WATCHED = """
import json, sys, threading
import gistapi.app
from gistapi.settings import Settings
seen = []
READABLE = (sys.prefix, sys.base_prefix, *gistapi.__path__, "/proc/", "/nonexistent/x")
OPENING = ("open", "socket.", "sqlite3.", "subprocess.", "os.fork", "os.posix_spawn", "os.mkdir")
def record(event, args):
    # What may be read: what is installed (modules are imported), what the metrics tell of a
    # process, and the cache's own file, which must not be somebody else's. A descriptor is open
    # already: the first import of a module writes its bytecode by one.
    if not event.startswith(OPENING) or isinstance(args[0], int):
        return
    if not str(args[0]).startswith(READABLE):
        seen.append(event)
sys.addaudithook(record)
app = gistapi.app.create_app(Settings(cache_url={url!r}, github_token="x"))
built = list(seen)
app.test_client().get("/ping")
open("/dev/null").close()  # so the hook works
print(json.dumps([built, seen[-1], threading.active_count()]))
"""


@pytest.mark.parametrize("url", ["memory:", "sqlite:////nonexistent/x", "redis://127.0.0.1:1"])
def test_building_an_app_opens_nothing(url: str) -> None:
    """It opens no file, socket, process or thread, whichever cache is chosen."""
    done = run(sys.executable, "-c", WATCHED.format(url=url), environ=environment())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], "open", 1]


def test_importing_matching_does_not_load_the_service() -> None:
    """Importing the package or its matching part imports neither Flask nor requests."""
    program = (
        "import gistapi, gistapi.matching, sys;"
        "print(sorted({'flask', 'pydantic', 'requests', 'gistapi.app'} & set(sys.modules)))"
    )
    done = run(sys.executable, "-c", program, environ=environment())
    assert done.stdout == "[]\n"
