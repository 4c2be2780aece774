"""Following cursors returns every match once and ends, whatever changes between the requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gistapi.errors import GithubTimeoutError
from gistapi.models import Query
from tests.fake_github import FakeGithub, Fault, User
from tests.search.searching import Bench, bench

QUERY = Query("octocat", "needle")
MAX_CALLS = 200


@dataclass(frozen=True)
class Call:
    """One request, and the gists added and deleted before it (by position, if there is one)."""

    limit: int | None
    made: tuple[bool, ...] = ()
    deleted: tuple[int, ...] = ()
    deadline_seconds: float = 30.0


CALLS = st.builds(
    Call,
    limit=st.none() | st.integers(1, 4),
    made=st.lists(st.booleans(), max_size=2).map(tuple),
    deleted=st.lists(st.integers(0, 250), max_size=2).map(tuple),
    deadline_seconds=st.sampled_from([0.02, 0.05, 30.0]),
)


def add(user: User, *, matching: bool) -> None:
    """Add a gist of one or two files."""
    user.add_gist({"a": "hay", "b": "needle"} if matching else {"a": "hay"})


def called(ours: Bench, query: Query, call: Call) -> tuple[list[str], str | None]:
    """The matches and the cursor of one request; one too short even for the listing has neither."""
    ours.searcher._deadline_seconds = call.deadline_seconds
    asked = replace(query, limit=call.limit)
    try:
        answer = ours.search(asked)
    except GithubTimeoutError:
        return [], query.cursor or ""
    if call.limit is not None:
        assert len(answer.matches) <= call.limit
    if answer.end.next is not None:
        assert answer.end.next != query.cursor
    return answer.matches, answer.end.next


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gists=st.lists(st.booleans(), max_size=220),
    calls=st.lists(CALLS, max_size=6),
    slow=st.none() | st.integers(0, 30),
)
def test_following_next_returns_every_match_once(
    gists: list[bool], calls: list[Call], slow: int | None
) -> None:
    """A gist that exists from the first request to the last is returned once, and none twice."""
    with FakeGithub() as github, bench(github, cache_url="memory:") as ours:
        user = github.add_user("octocat")
        for matching in gists:
            add(user, matching=matching)
        if slow is not None:
            github.faults.inject(
                Fault(latency_seconds=0.1), origin="raw", path=lambda _: True, times=slow
            )
        always = set(user.matching("needle"))
        ever = set(always)
        found: list[str] = []
        cursor: str | None = ""
        schedule = [*calls, *[Call(None)] * MAX_CALLS]
        gaps: set[str] = set()
        for number, call in enumerate(schedule):
            if number:
                for matching in call.made:
                    add(user, matching=matching)
                for place in call.deleted:
                    if place < len(user.gists):
                        gist = user.gists[place]
                        always.discard(gist.html_url)
                        gist.delete()
            ever |= set(user.matching("needle"))
            query = replace(QUERY, cursor=cursor or None)
            seen = len(ours.gaps)
            matches, cursor = called(ours, query, call)
            gaps |= {gap.gist for gap in ours.gaps[seen:] if gap.gist}
            found += matches
            if cursor is None:
                break
        assert cursor is None
        assert len(found) == len(set(found))
        assert always - gaps <= set(found) <= ever
        assert not gaps & set(found)
