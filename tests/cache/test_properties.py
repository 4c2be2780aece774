"""Any sequence of puts, reads and reopenings: the cache never returns a wrong answer."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from gistapi.cache import Cache, open_cache
from tests.cache.conftest import KINDS, Events, blob_of, flushed

SMALL = st.binary(max_size=2000)
KEYS = st.sampled_from(["octocat", "", "a b", "a,b", "Ä"])


class CacheMachine(RuleBasedStateMachine):
    """A cache, and two mappings that record what was put."""

    max_bytes = 2**30
    hot_bytes = 0
    outlives = True

    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[str, bytes] = {}
        self.listings: dict[str, bytes] = {}
        self.events = Events()
        self.folder = tempfile.TemporaryDirectory()
        self.url = self.empty()
        self.cache = self.open()

    def empty(self) -> str:
        """Return the address of an empty cache."""
        return f"sqlite:///{self.folder.name}/cache.sqlite"

    def open(self) -> Cache:
        """Open the cache under test."""
        return open_cache(
            self.url,
            max_bytes=self.max_bytes,
            hot_bytes=self.hot_bytes,
            observe=self.events.append,
        )

    @rule(contents=st.lists(SMALL, max_size=8), factor=st.sampled_from([1, 1, 20]))
    def put_contents(self, contents: list[bytes], factor: int) -> None:
        """Put a few contents, some of them large."""
        for small in contents:
            content = small * factor
            self.cache.put_content(blob_of(content), content)
            self.contents[blob_of(content)] = content

    @rule(key=KEYS, listing=SMALL)
    def put_listing(self, key: str, listing: bytes) -> None:
        """Put a listing, which may replace another."""
        self.cache.put_listing(key, listing)
        self.listings[key] = listing

    @rule(key=KEYS)
    def get_listing(self, key: str) -> None:
        """Read a listing: it is the last one put, never an older one."""
        found = self.cache.get_listing(key)
        assert found == self.listings.get(key) or self.forgets(found)

    @rule(known=st.booleans(), other=SMALL)
    def get_contents(self, *, known: bool, other: bytes) -> None:
        """Read all contents that may exist, and one that may not."""
        wanted = [*self.contents, blob_of(other)]
        sizes = {
            blob: len(self.contents[blob]) if known and blob in self.contents else None
            for blob in wanted
        }
        found = list(self.cache.get_contents(sizes))
        assert len(found) == len(dict(found))
        assert all(self.contents[blob] == content for blob, content in found)
        assert len(found) == len(self.contents) or self.forgets(None)

    @rule()
    def flush(self) -> None:
        """Wait until everything is written."""
        assert self.cache.flush(20)

    @rule()
    def reopen(self) -> None:
        """Close the cache and open it again."""
        if self.outlives:
            self.cache.close()
            self.cache = self.open()

    def forgets(self, found: object) -> bool:
        """Whether a miss is allowed: only where the bound is too small for everything."""
        return found is None and self.max_bytes < 2**30

    @invariant()
    def fits(self) -> None:
        """The cache never exceeds its bound, and no operation fails."""
        assert self.events.failures() == []
        assert (self.cache.status().size_bytes or 0) <= self.max_bytes

    def teardown(self) -> None:
        """Close the cache."""
        self.cache.close()
        self.folder.cleanup()


@pytest.mark.parametrize("kind", [*KINDS, "small sqlite", "small memory", "hot"])
def test_a_cache_behaves_like_a_mapping(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sequence of operations causes a wrong content, an old listing, a loss or a failure."""
    # On a busy machine a healthy server may be slow.
    monkeypatch.setattr("gistapi.cache.redis.CONNECT_SECONDS", 20.0)
    monkeypatch.setattr("gistapi.cache.redis.READ_SECONDS", 20.0)
    monkeypatch.setattr("gistapi.cache.resilient._PATIENCE_SECONDS", 60.0)
    kind, small = kind.removeprefix("small "), kind.startswith("small ")

    class Machine(CacheMachine):
        max_bytes = (2**21 if kind == "sqlite" else 2**15) if small else 2**30
        hot_bytes = 2**14 if kind == "hot" else 0
        outlives = kind != "memory"

        def empty(self) -> str:
            if kind in {"redis", "unix"}:
                return flushed(request.getfixturevalue("shared_server"), kind)
            return "memory:" if kind == "memory" else super().empty()

    run(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
