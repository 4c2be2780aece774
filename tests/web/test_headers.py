"""The headers that every answer has."""

from __future__ import annotations

import pytest

from tests.web.searches import NDJSON, Searches


@pytest.mark.parametrize("sent", ["a", "A-b_c.1", "x" * 128])
def test_a_plain_request_id_of_the_caller_comes_back(sent: str) -> None:
    """An X-Request-ID of 1 to 128 of `[A-Za-z0-9._-]` is taken over, by errors and streams too."""
    headers = {"X-Request-ID": sent}
    client = Searches().client()
    answers = [client.get("/ping", headers=headers), client.get("/nope", headers=headers)]
    answers += [Searches().post(headers=headers), Searches().post(headers=headers | NDJSON)]
    assert [answer.headers["X-Request-ID"] for answer in answers] == [sent] * 4
    assert answers[1].get_json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a/b", "ä", 'a"b'])
def test_any_other_request_id_is_replaced(sent: str) -> None:
    """What is no plain word is never echoed; each request then gets an id of its own."""
    client = Searches().client()
    first, second = (
        client.get("/nope", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
        for _ in range(2)
    )
    assert first not in (sent, second)
    assert len(first) == 32


def test_answers_are_not_stored_and_not_sniffed() -> None:
    """An answer is what it says it is, and good for now."""
    headers = Searches().post().headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
