"""The cache in memory drops the least recently used entries."""

from __future__ import annotations

from gistapi.cache import open_cache
from tests.cache.conftest import blob_of


def test_the_most_recently_used_entries_stay() -> None:
    """Reading an entry keeps it, and the bound counts every entry."""
    cache = open_cache("memory:", max_bytes=20_000)
    contents = [b"%d" % number * 1000 for number in range(10, 60)]
    for content in contents:
        cache.put_content(blob_of(content), content)
        assert cache.flush(20)
        assert dict(cache.get_contents({blob_of(contents[0]): None}))
        assert 0 < (cache.status().size_bytes or 0) <= 20_000
    found = dict(cache.get_contents({blob_of(content): None for content in contents}))
    assert list(found.values()) == [contents[0], *contents[-7:]]
    cache.close()


def test_an_entry_over_the_bound_displaces_nothing() -> None:
    """Only that entry is not kept."""
    cache = open_cache("memory:", max_bytes=2000)
    cache.put_listing("small", b"listing")
    cache.put_listing("large", b"x" * 2000)
    assert cache.flush(20)
    assert cache.get_listing("large") is None
    assert cache.get_listing("small") == b"listing"
    cache.put_listing("small", b"x" * 2000)
    assert cache.flush(20)
    assert cache.get_listing("small") is None
    cache.close()
    assert cache.status().size_bytes == 0
