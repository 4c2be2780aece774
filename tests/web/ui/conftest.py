"""A service of a fake GitHub, and its search page in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import chromium, visit
from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import Serving, serving

SCRIPT = "javascript:alert(1)"


@pytest.fixture(scope="package")
def hub() -> Iterator[FakeGithub]:
    """Yield a GitHub with the demo's users, `many` gists and a hostile one."""
    with FakeGithub() as fake:
        populate(fake.world)
        fake.rate_limit.limit = 5000  # enough for all tests of the package
        fake.add_user("many").generate(120)
        fake.add_user("lines").add_gist({"hits.txt": "hit\n" * 25})
        fake.add_user("marks").add_gist({"m.txt": "one two\ntwo\n3\n😀a 😀b 4\nend\n6\n"})
        evil = fake.add_user("evil")
        evil.add_gist({"<b>.py": "needle <i>in</i>"}, description="<img src=x onerror=alert(1)>")
        evil.add_gist({"long.txt": "a" * 400})
        evil.add_gist({"z.py": "script"}, listed=lambda entry: entry | {"html_url": SCRIPT})
        yield fake


@pytest.fixture(scope="package")
def service(hub: FakeGithub) -> Iterator[Serving]:
    """Yield a service of that GitHub, without a cache."""
    with serving(hub, cache_url="off") as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with chromium() as running:
        yield running


@pytest.fixture(autouse=True)
def _calm(hub: FakeGithub) -> Iterator[None]:
    yield
    hub.faults.clear()


@pytest.fixture
def page(browser: Browser, service: Serving) -> Iterator[Page]:
    """Yield the search page; at the end it must have had no faults."""
    with visit(browser, f"{service.url}/") as visited:
        yield visited.page
