"""Routes, request bodies and the plain answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gistapi.models import Begin, Incomplete, Progress, SearchEvent
from gistapi.web import create_web
from tests.web.searches import SEARCH, Searches, Stream, end, match, post_stream


def test_ping_answers_pong_in_plain_text() -> None:
    """The body of `GET /ping` is exactly `pong`."""
    answer = Searches().client().get("/ping")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "pong", "text/plain")


def test_a_plain_answer_has_exactly_the_four_keys_in_order() -> None:
    """A complete search has these, with the newest gist first in whatever order they were found."""
    events: list[SearchEvent | BaseException] = [Begin(), match(1), match(2), end(2)]
    answer = Searches(events).post()
    assert answer.mimetype == "application/json"
    assert list(json.loads(answer.data).items()) == [
        ("status", "success"),
        ("username", "octocat"),
        ("pattern", "import requests"),
        ("matches", ["https://gist.github.com/2", "https://gist.github.com/1"]),
    ]


def test_nothing_found_is_an_empty_list() -> None:
    """Without a match the answer is a success with `[]`."""
    answer = Searches([Begin(), Progress(0, 0, 0, 0), end()]).post()
    assert answer.get_json()["matches"] == []


def test_a_plain_answer_is_in_githubs_order_and_closes_the_search() -> None:
    """Its search is requested in order, and closed when it has been answered."""
    searches = Searches()
    searches.post()
    assert [query.details for query in searches.asked] == [False]
    assert searches.closed == 1


def test_details_are_in_the_order_of_the_matches() -> None:
    """Each match has its file, line and address."""
    answer = Searches([Begin(), match(2, "My File.tar.gz", 7), match(1), end(2)]).post(details=True)
    body = answer.get_json()
    assert [found["gist"] for found in body["details"]] == body["matches"]
    found = body["details"][0]
    assert (found["gist"], found["description"]) == ("https://gist.github.com/2", "words")
    (file,) = found["files"]
    assert (file["file"], file["language"]) == ("My File.tar.gz", "Python")
    assert file["matches"][0]["line"] == 7
    assert file["matches"][0]["url"].endswith("#file-my-file-tar-gz-L7")


def test_a_partial_answer_has_incomplete_and_next() -> None:
    """`incomplete` lists gaps; `next` is there if the search stopped early."""
    gap = Incomplete(None, None, "deadline", "The deadline has passed.")
    answer = Searches([Begin(), gap, end(partial=True, following="c1")]).post()
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["next"]) == (200, "partial", "c1")
    assert body["incomplete"] == [
        {"gist": None, "file": None, "reason": "deadline", "message": "The deadline has passed."}
    ]


def test_a_search_stopped_by_its_limit_is_a_success_with_next() -> None:
    """`next` alone does not make an answer partial."""
    body = Searches([Begin(), match(1), end(1, following="c2")]).post(limit=1).get_json()
    assert (body["status"], body["next"]) == ("success", "c2")
    assert "incomplete" not in body


@pytest.mark.parametrize(
    "path",
    ["/nope", "/ping/", "/x//ping", "/api//v1/search", "/api/v1/search/", "/api", "/static/x"],
)
def test_an_unknown_path_is_a_json_404(path: str) -> None:
    """It answers `not_found`, and never redirects."""
    # The path as it is sent: the test client would take what follows `//` for a host.
    answer = Searches().client().get(environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "BREW"])
def test_a_wrong_method_is_a_405(method: str) -> None:
    """`Allow` lists the right ones."""
    answer = Searches().client().open(SEARCH, method=method)
    assert answer.status_code == 405
    allowed = {"GET", "HEAD", "OPTIONS", "POST", "QUERY"}
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert answer.headers["Accept-Query"] == "application/json"


def test_head_and_options_are_answered() -> None:
    """`HEAD /ping` has no body; `OPTIONS` names the methods and QUERY's media type (RFC 10008)."""
    client = Searches().client()
    assert client.head("/ping").data == b""
    options = client.options(SEARCH)
    assert (options.status_code, options.data) == (200, b"")
    assert {"POST", "QUERY"} <= set(options.headers["Allow"].split(", "))
    assert options.headers["Accept-Query"] == "application/json"


def test_a_body_may_have_64_kib() -> None:
    """One byte more is a 413, with or without Content-Length."""
    app = create_web(Searches())
    fits = b'{"username": "octocat", "pattern": "x"}'.ljust(65536)
    for body, status in ((fits, 200), (fits + b" ", 413), (fits * 2, 413)):
        said = app.test_client().post(SEARCH, data=body, content_type="application/json")
        assert said.status_code == status
        unsaid, _ = post_stream(app, Stream(body))
        assert unsaid.startswith(str(status))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"]
)
def test_a_body_of_another_media_type_is_a_415(kind: str) -> None:
    """Only `application/json` is accepted."""
    answer = Searches().client().post(SEARCH, data=b"{}", headers={"Content-Type": kind})
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")


def test_the_media_type_may_carry_a_charset() -> None:
    """`application/json; charset=utf-8` is JSON."""
    body = b'{"username": "a", "pattern": "x"}'
    kind = "Application/JSON; charset=utf-8"
    assert Searches().client().post(SEARCH, data=body, content_type=kind).status_code == 200


def test_a_bodys_size_is_checked_before_its_type_and_content() -> None:
    """The order of the checks is 413, 415, 400."""
    client = Searches().client()
    assert client.post(SEARCH, data=b"x" * 65537, content_type="text/plain").status_code == 413
    assert client.post(SEARCH, data=b"x", content_type="text/plain").status_code == 415
    assert client.post(SEARCH, data=b"x", content_type="application/json").status_code == 400


def test_json_ends_with_a_newline() -> None:
    """This holds for answers, errors, health and the description."""
    client = Searches().client()
    answers = [client.get(path) for path in ("/nope", "/livez", "/readyz", "/openapi.json")]
    answers.append(Searches().post())
    assert all(answer.data.endswith(b"}\n") for answer in answers)


@pytest.mark.parametrize("method", ["GET", "QUERY", "POST"])
def test_a_search_has_three_methods(method: str) -> None:
    """GET takes query parameters; POST and QUERY take a JSON body."""
    searches = Searches()
    fields = {"username": "octocat", "pattern": "a b", "files": ["*.py", "!x"], "details": True}
    if method == "GET":
        answer = searches.client().get(
            f"{SEARCH}?username=octocat&pattern=a+b&files=*.py&files=!x&details=true&limit=7"
        )
    else:
        answer = searches.client().open(SEARCH, method=method, json=fields | {"limit": 7})
    assert answer.status_code == 200
    (query,) = searches.asked
    assert (query.username, query.pattern, query.limit) == ("octocat", "a b", 7)
    assert query.files == ("*.py", "!x")
    assert "details" in answer.get_json()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("username=a&username=b&pattern=x", "username: The parameter is there more than once."),
        ("username=a&pattern=x&details=1", "details: Send true or false."),
        ("username=a&pattern=x&limit=1.5", "limit: Send an integer."),
        ("username=a&pattern=x&limit=0", "limit: Send a number from 1 to 1,000."),
        ("username=a&pattern=x&limit=" + "9" * 5000, "limit: Send"),
        ("username=a&patern=x", "Did you mean pattern?"),
        ("pattern=x", "Say where to search"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, said: str) -> None:
    """It is reported like a field of a body."""
    answer = Searches().client().get(f"{SEARCH}?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")
    assert said in " ".join(
        f"{fault['field']}: {fault['message']}" for fault in answer.get_json()["errors"]
    )


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        ("/nope", "text/html,*/*;q=0.8", "text/html"),
        ("/nope", "*/*", "application/json"),
        ("/api/nope", "text/html", "application/json"),
    ],
)
def test_an_unknown_path_is_a_page_for_browsers(path: str, accept: str, mimetype: str) -> None:
    """Under /api it is always JSON."""
    answer = Searches().client().get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, mimetype)
    assert "nope" not in answer.text


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "nonsense"])
def test_a_body_with_a_content_encoding_is_a_415(encoding: str) -> None:
    """It is refused whether or not it is encoded so."""
    headers = {"Content-Encoding": encoding}
    assert Searches().post(headers=headers).status_code == 415
    assert Searches().post(headers={"Content-Encoding": "identity"}).status_code == 200


def test_an_incomplete_or_late_body_is_refused() -> None:
    """The status is 400 or 408, after the earlier checks."""

    class Broken(Stream):
        """A body that cannot be read."""

        def __init__(self, error: OSError) -> None:
            super().__init__(b"")
            self._error = error

        def read(self, _size: int) -> bytes:
            """Fail."""
            raise self._error

    app = create_web(Searches())
    for error, status in ((OSError("broke off"), "400"), (TimeoutError(), "408")):
        answered, body = post_stream(app, Broken(error))
        assert answered.startswith(status)
        assert json.loads(body)["code"] == "invalid_request"


def test_the_frameworks_errors_keep_their_status() -> None:
    """An unsatisfiable range is a 416 each time, and the file can still be read."""
    client = Searches().client()
    for path in ("/static/app.js", "/docs/swagger-ui.css"):
        for _ in range(40):
            answer = client.get(path, headers={"Range": "bytes=99999999-"}, buffered=True)
            assert answer.status_code in {200, 416}
            if answer.status_code == 416:
                assert answer.get_json()["code"] == "range_not_satisfiable"
                assert answer.headers["Content-Range"].startswith("bytes */")
        assert client.get(path, buffered=True).status_code == 200


def test_a_search_has_the_turns_of_its_network() -> None:
    """Addresses of one network are one caller, others are not."""
    searches = Searches()
    client = create_web(searches).test_client()
    for address in ("2001:db8::1", "2001:db8::2", "192.0.2.7"):
        body = {"username": "octocat", "pattern": "x"}
        client.post(SEARCH, json=body, environ_base={"REMOTE_ADDR": address}).close()
    one, same, other = searches.callers
    assert one == same != other


@pytest.mark.parametrize("accepted", [True, False])
def test_a_callers_github_token_needs_the_setting(*, accepted: bool) -> None:
    """The operator allows it; `mine` and `starred` need one."""
    searches = Searches()
    client = create_web(searches, caller_tokens=accepted).test_client()
    body = {"username": "octocat", "pattern": "x"}
    headers = {"X-GitHub-Token": "ghp_canary"}
    answer = client.post(SEARCH, json=body, headers=headers)
    assert answer.status_code == (200 if accepted else 400)
    assert searches.tokens == (["ghp_canary"] if accepted else [])
    assert "canary" not in answer.text
    for field in ("mine", "starred"):
        without = client.post(SEARCH, json={"pattern": "x", field: True})
        assert without.status_code == 400
        assert "X-GitHub-Token" in without.text or "takes none" in without.text
    assert client.post(SEARCH, json=body).status_code == 200
    assert searches.tokens[-1] is None
    bad = client.post(SEARCH, json=body, headers={"X-GitHub-Token": "a b"})
    assert bad.status_code == 400


def test_a_disconnect_ends_a_plain_answer() -> None:
    """The search is closed at its next event, which comes at least every second."""
    left = [False, True]
    searches = Searches([Begin(), Progress(0, None, 0, 0), match(1), end(1)])
    answer = searches.client().post(
        SEARCH,
        json={"username": "octocat", "pattern": "x"},
        environ_overrides={"gistapi.client_left": lambda: left.pop(0)},
    )
    assert answer.status_code == 499
    assert left == []
    assert searches.closed == 1


class Kept(Iterator[SearchEvent]):
    """Events whose end does not close them."""

    def __init__(self, events: list[SearchEvent]) -> None:
        self._events = iter(events)
        self.is_closed = False

    def __next__(self) -> SearchEvent:
        return next(self._events)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


@dataclass
class Keeping:
    """Searches that all have these events."""

    events: Kept

    def search(self, *_given: object, **_options: object) -> Kept:
        """The events."""
        return self.events


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-ndjson", "feed"])
def test_a_search_is_closed_when_its_answer_has_been_sent(accept: str) -> None:
    """Until then what it found is in memory, and made into text part by part."""
    events = Kept([Begin(), match(1), end(1)])
    client = create_web(Keeping(events)).test_client()
    path = f"{SEARCH}.atom" if accept == "feed" else SEARCH
    asked = f"{path}?username=octocat&pattern=x&details=true"
    answer = client.get(asked, headers={"Accept": accept.replace("feed", "*/*")})
    assert "Content-Length" not in answer.headers
    assert b"import requests" in b"".join(answer.iter_encoded())
    assert not events.is_closed
    answer.close()
    assert events.is_closed
