"""One search in simulated time: deadlines, limits, failures and progress."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gistapi.errors import (
    ByteQuotaError,
    GistapiError,
    GithubRateLimitedError,
    IncompleteError,
    OverloadedError,
    RateLimitedError,
    UserNotFoundError,
)
from gistapi.models import Begin, Match, Progress, Query, TargetEnd
from gistapi.search.feeder import FILES_IN_HAND, WINDOW
from gistapi.search.gist_state import GistState
from gistapi.search.reader import Reader
from gistapi.search.reorder import Outcome
from gistapi.search.session import SearchBounds, Session
from gistapi.search.stop import Stop
from gistapi.search.targets import PAGES_AHEAD
from tests.search.simulated import FOREVER, PAGE, Answer, File, Github, follow, search

NEEDLE = Query("octocat", "needle")
HIT = File(text=b"needle")
HANGS = File(text=b"needle", seconds=FOREVER)


def reasons(answer: Answer) -> list[tuple[str | None, str]]:
    """Each incomplete gist, with its reason."""
    return [(gap.gist, gap.reason) for gap in answer.incomplete]


def test_a_deadline_returns_every_match_found() -> None:
    """Gists after one that hangs are included; the cursor owes that one."""
    github = Github()
    gists = [github.add("octocat", HANGS if number == 20 else HIT) for number in range(30)]
    answer = search(github, NEEDLE)
    others = {gist.id for gist in gists} - {gists[20].id}
    assert set(answer.matches) == others
    assert reasons(answer) == [(None, "deadline")]
    github.users["octocat"][9][1][0].seconds = 1
    rest = search(github, replace(NEEDLE, cursor=answer.end.next))
    assert rest.matches == [gists[20].id]
    assert not rest.end.partial
    assert rest.end.next is None


def test_a_gist_is_given_up_for_its_own_time_only() -> None:
    """A gist that hangs is tried once with others and once alone; then it is a gap."""
    github = Github()
    gists = [github.add("octocat", HANGS if number == 5 else HIT) for number in range(10)]
    first, second, last = follow(github, NEEDLE)
    assert len(first.matches) == 9
    assert reasons(first) == [(None, "deadline")]
    assert reasons(second) == [(gists[5].html_url, "deadline"), (None, "deadline")]
    assert reasons(last) == []


def test_a_slow_listing_makes_no_gist_a_gap() -> None:
    """The listing takes most of the deadline; following cursors, every gist is found."""
    github = Github(page_seconds=18)
    gists = [github.add("octocat", replace(HIT, seconds=4)) for _ in range(45)]
    answers = list(follow(github, NEEDLE))
    found = [match for answer in answers for match in answer.matches]
    assert sorted(found) == sorted(gist.id for gist in gists)
    assert {gap for answer in answers for gap in reasons(answer)} == {(None, "deadline")}


def test_a_slow_listing_makes_a_single_gist_no_gap() -> None:
    """If the gist was the only one to read but was listed late, it is not given up."""
    github = Github(page_seconds=40)
    gist = github.add("octocat", replace(HIT, seconds=25))
    first = search(github, NEEDLE)
    github.kept.clear()  # so that GitHub is slow again
    second = search(github, replace(NEEDLE, cursor=first.end.next))
    assert reasons(first) == reasons(second) == [(None, "deadline")]
    last = search(github, replace(NEEDLE, cursor=second.end.next))
    assert last.matches == [gist.id]
    assert not last.incomplete


def test_large_gists_make_small_ones_no_gap() -> None:
    """Large gists use up the bytes that one search may read; the small ones are found."""
    github = Github()
    large = File("large", b"hay" * 700_000, seconds=5)
    gists = [github.add("octocat", replace(HIT, seconds=9), large) for _ in range(12)]
    bounds = SearchBounds(size_bytes=5_000_000)
    answers = list(follow(github, NEEDLE, bounds=bounds))
    found = [match for answer in answers for match in answer.matches]
    assert sorted(found) == sorted(gist.id for gist in gists)
    assert {gap for answer in answers for gap in reasons(answer)} == {(None, "search_too_large")}


def test_a_gist_over_the_bytes_of_a_search_is_given_up() -> None:
    """A gist that is too large is tried once with others and once alone; the others are found."""
    github = Github()
    small = github.add("octocat", HIT)
    large = github.add("octocat", File("large", b"hay" * 2_000_000, seconds=1))
    answers = list(follow(github, NEEDLE, bounds=SearchBounds(size_bytes=3_000_000)))
    assert [match for answer in answers for match in answer.matches] == [small.id]
    assert (large.html_url, "search_too_large") in reasons(answers[1])


def test_a_limit_releases_in_order() -> None:
    """No gist after a slow one is released before it."""
    github = Github()
    gists = [github.add("octocat", replace(HIT, seconds=1 + n % 7)) for n in range(40)]
    answers = list(follow(github, replace(NEEDLE, limit=7)))
    newest_first = [gist.id for gist in reversed(gists)]
    assert [match for answer in answers for match in answer.matches] == newest_first
    assert not any(answer.incomplete for answer in answers)


def test_a_limit_and_a_deadline_return_what_was_found() -> None:
    """Matches after a gist that hangs are returned at the deadline; none is lost or repeated."""
    github = Github()
    gists = [github.add("octocat", HANGS if number == 28 else HIT) for number in range(30)]
    answers = list(follow(github, replace(NEEDLE, limit=10)))
    found = [match for answer in answers for match in answer.matches]
    assert len(answers[0].matches) == 10
    assert sorted(found) == sorted(gist.id for gist in gists if gist is not gists[28])


def test_a_lost_gist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is cancelled unexpectedly never lets the answer look complete."""
    github = Github()
    lost = github.add("octocat", HIT)
    github.add("octocat", HIT)
    read = Reader.read

    async def reading(self: Reader, state: GistState) -> Outcome:
        if state.slot.gist.id == lost.id:
            raise asyncio.CancelledError
        return await read(self, state)

    monkeypatch.setattr(Reader, "read", reading)
    with pytest.raises(RuntimeError, match="left without an outcome"):
        search(github, NEEDLE)


def test_the_end_has_the_age_of_the_listing() -> None:
    """The age is in whole seconds; with several listings, the oldest counts."""
    github = Github(age_seconds=42.7)
    github.add("octocat", HIT)
    assert search(github, NEEDLE).end.searched.listing_age_seconds == 42


def test_the_files_of_a_gist_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again whenever one of them ends: 300 files would be looked at 90,000 times."""
    looked = 0

    def counting(state: GistState) -> Iterator[int]:
        nonlocal looked
        for index in open_indexes(state):
            looked += 1
            yield index

    open_indexes = GistState.open_indexes
    monkeypatch.setattr(GistState, "open_indexes", counting)
    github = Github()
    github.add("octocat", *(File(f"{number}") for number in range(300)))
    assert search(github, NEEDLE).end.searched.files == 300
    assert looked < 310


def test_the_window_counts_undecided_gists() -> None:
    """A gist that hangs keeps one place only: the other 299 are searched."""
    github = Github()
    for number in range(300):
        github.add("octocat", HANGS if number == 299 else HIT)
    answer = search(github, NEEDLE)
    assert len(answer.matches) == 299


def test_a_listing_is_not_read_far_ahead() -> None:
    """While no gist can be begun, the number of pages requested is bounded."""
    github = Github()
    for _ in range(10 * WINDOW):
        github.add("octocat", HANGS)
    search(github, NEEDLE)
    pages = [asked for asked in github.asked if "page" in asked]
    assert len(pages) <= WINDOW / PAGE + PAGES_AHEAD + 3  # both ends of the queue, and a split one


def test_a_listing_of_many_files_is_not_read_far_ahead() -> None:
    """While a few hundred files wait, no further gists are listed, however few gists those are."""
    github = Github()
    for _ in range(10 * WINDOW):
        github.add("octocat", *(File(f"{n}", seconds=FOREVER) for n in range(FILES_IN_HAND // 10)))
    search(github, NEEDLE)
    pages = [asked for asked in github.asked if "page" in asked]
    assert len(pages) <= 1 + PAGES_AHEAD + 2  # that one, and both ends of the queue


def test_gists_of_many_files_that_a_limit_leaves_open_hold_up_no_others() -> None:
    """Their files are not in memory any more, though they are undecided."""
    github = Github()
    refused = GithubRateLimitedError("no", 60)
    found = [github.add("octocat", HIT) for _ in range(3 * PAGE)]
    for _ in range(3):
        names = range(FILES_IN_HAND // 2)
        github.add("octocat", *(File(f"{n}", error=refused) for n in names))
    answer = search(github, NEEDLE)
    assert set(answer.matches) == {gist.id for gist in found}
    assert reasons(answer) == [(None, "github_rate_limited")]


def test_a_narrow_filter_does_not_serialize_requests() -> None:
    """Ten wanted files in 640 gists are read concurrently, once the last page has arrived."""
    github = Github(page_seconds=0.1)
    for number in range(640):
        github.add("octocat", File("a.py" if number % 64 == 0 else "b.md", b"needle", seconds=1))
    answer = search(github, replace(NEEDLE, files=("*.py",)))
    assert len(answer.matches) == 10
    ended_at, _ = answer.timed[-1]
    assert ended_at == pytest.approx(64 * 0.1 + 1, abs=0.1)
    assert github.most_reading > 1


def test_a_single_search_uses_all_its_places() -> None:
    """A search alone uses sixteen places of sixteen, from the first page on."""
    github = Github()
    for _ in range(100):
        github.add("octocat", replace(HIT, seconds=2))
    search(github, NEEDLE, concurrency=16)
    assert github.most_reading == 16


@pytest.mark.parametrize("details", [True, False])
def test_which_match_is_shown_does_not_depend_on_speed(*, details: bool) -> None:
    """With details it is in the first matching file as listed; without, any match ends the gist."""
    github = Github()
    slow = File("a.py", b"needle", seconds=9)
    github.add("octocat", File("0.py", seconds=5), slow, File("b.py", b"needle", seconds=0.1))
    answer = search(github, replace(NEEDLE, details=details))
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [file.file.name for file in match.files if file.file] == ["a.py" if details else "b.py"]
    assert (answer.timed[-1][0] > 9) == details


def test_with_max_count_every_matching_file_is_shown() -> None:
    """The files are in the order of the listing."""
    github = Github()
    github.add("octocat", *(File(name, b"needle", seconds=5 - n) for n, name in enumerate("abcd")))
    answer = search(github, replace(NEEDLE, max_count=3))
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [file.file.name for file in match.files if file.file] == list("abcd")


def test_a_file_that_fails_is_a_gap_unless_its_gist_matches() -> None:
    """A gist that matched is in no gap."""
    github = Github()
    broken = File("bad", error=IncompleteError("file_unavailable", "GitHub answered 500."))
    matching = github.add("octocat", broken, replace(HIT, name="good"))
    failing = github.add("octocat", broken, File("other"))
    answer = search(github, NEEDLE)
    assert answer.matches == [matching.id]
    assert [(gap.gist, gap.file) for gap in answer.incomplete] == [(failing.html_url, "bad")]
    assert answer.end.partial
    assert answer.end.next is None


def test_progress_is_sent_while_github_is_silent() -> None:
    """Begin is sent after two seconds without a page, then progress every second."""
    github = Github(page_seconds=5.5)
    github.add("octocat", replace(HIT, seconds=3.2))
    answer = search(github, NEEDLE)
    begin_at = next(at for at, event in answer.timed if isinstance(event, Begin))
    assert begin_at == 2
    progress = [(at, event) for at, event in answer.timed if isinstance(event, Progress)]
    assert [at for at, _ in progress] == [2, 3, 4, 5, 6, 7, 8]
    assert progress[0][1].gists_total is None
    assert progress[-1][1].gists_total == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RateLimitedError("Request quota used up.", 5), "github_rate_limited"),
        (ByteQuotaError("Byte quota used up.", 5), "byte_quota"),
    ],
)
def test_a_spent_quota_lets_files_in_progress_finish(error: GistapiError, reason: str) -> None:
    """Files in progress are counted already; no other gist is begun; the cursor owes the rest."""
    github = Github()
    for number in range(40):
        github.add("octocat", File(error=error) if number == 39 else replace(HIT, seconds=2))
    answer = search(github, NEEDLE, concurrency=4)
    assert 0 < len(answer.matches) < 39
    assert reasons(answer) == [(None, reason)]
    github.users["octocat"][0][1][0] = HIT
    answers = [answer, *follow(github, replace(NEEDLE, cursor=answer.end.next))]
    found = [match for answer in answers for match in answer.matches]
    assert len(found) == len(set(found)) == 40


def test_a_limited_host_does_not_stop_other_gists() -> None:
    """Gists that need no request to the limited host are decided; the cursor owes the others."""
    github = Github()
    limited = GithubRateLimitedError("wait", 300)
    for number in range(40):
        github.add("octocat", File(error=limited, seconds=0) if number % 4 == 0 else HIT)
    answer = search(github, NEEDLE)
    assert len(answer.matches) == 30
    assert reasons(answer) == [(None, "github_rate_limited")]
    assert answer.end.next is not None


def test_a_shutdown_before_the_listing_refuses_the_search() -> None:
    """Nothing was searched."""
    github = Github(page_seconds=FOREVER)
    github.add("octocat", HIT)

    def stop_soon(session: Session) -> None:
        session._loop.call_later(3, session.stop, Stop("shutting_down", "The service stops."))

    with pytest.raises(OverloadedError):
        search(github, NEEDLE, during=stop_soon)


def test_several_targets_are_searched_concurrently() -> None:
    """Results keep the targets' order, and a failure ends no other target."""
    github = Github(page_seconds=1, organizations={"acme": ["zoe", "adam", "gone"]})
    for login in ("octocat", "hubot", "zoe", "adam"):
        for _ in range(3):
            github.add(login, HIT)
    query = replace(NEEDLE, usernames=("hubot", "nobody"), organization="acme")
    answer = search(github, query)
    assert len(answer.matches) == 12
    ends = [event for event in answer.events if isinstance(event, TargetEnd)]
    assert [(end.target.name, end.gists, end.matches) for end in ends] == [
        ("octocat", 3, 3),
        ("hubot", 3, 3),
        ("nobody", 0, 0),
        ("acme", 6, 6),
    ]
    assert [type(end.error) for end in ends] == [
        type(None),
        type(None),
        UserNotFoundError,
        type(None),
    ]
    assert [end.partial for end in ends] == [False, False, True, True]
    assert answer.end.partial
    assert answer.timed[-1][0] < 5


def test_when_every_target_fails_the_search_does() -> None:
    """The search raises the first target's error."""
    with pytest.raises(UserNotFoundError):
        search(Github(), replace(NEEDLE, usernames=("hubot",)))


@dataclass
class World:
    """Users with gists of all kinds, and their expected matches."""

    chance: random.Random
    github: Github
    logins: list[str]
    always: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)

    def add(self, number: int) -> None:
        """Add a gist of any size, speed and time."""
        chance = self.chance
        text = chance.choice([b"hay", b"needle", b"needle" + bytes(300_000)])
        seconds = FOREVER if chance.random() < 0.02 else chance.choice([0, 0.5, 3, 3, 40])
        second = chance.choice([None, number // 40])
        login = chance.choice(self.logins)
        gist = self.github.add(login, File(text=text, seconds=seconds), second=second)
        if seconds >= 40:
            self.slow.add(gist.html_url)
        elif b"needle" in text:
            self.always.add(gist.html_url)

    def change(self, _number: int) -> None:
        """Delete or add a gist now and then, while a page is being read."""
        gists = self.github.users.get(self.chance.choice(self.logins), [])
        if gists and self.chance.random() < 0.1:
            gone, _ = gists.pop(self.chance.randrange(len(gists)))
            self.always.discard(gone.html_url)
        if self.chance.random() < 0.1:
            self.github.add(self.logins[0], HIT)

    def search(self, query: Query) -> Answer:
        """Search with a random deadline, bounds and concurrency."""
        chance = self.chance
        return search(
            self.github,
            replace(query, limit=chance.choice([None, None, 3])),
            deadline_seconds=chance.choice([20, 60]),
            bounds=chance.choice(
                [SearchBounds(), SearchBounds(gists=20), SearchBounds(size_bytes=700_000)]
            ),
            concurrency=chance.choice([2, 16]),
        )


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_following_next_finds_every_match_once(seed: int) -> None:
    """For any files, limits, deadlines, bounds, additions and deletions."""
    chance = random.Random(seed)
    logins = ["octocat", "hubot", "zoe"][: chance.randint(1, 3)]
    world = World(chance, Github(page_seconds=chance.choice([0.1, 5])), logins)
    world.github.users["octocat"] = []
    for number in range(chance.choice([3, 30, 120])):
        world.add(number)
    world.github.on_page = world.change
    query: Query | None = replace(NEEDLE, usernames=tuple(logins[1:]))
    found: list[str] = []
    blamed: set[str] = set()
    for call in range(400):
        if query is None:
            break
        answer = world.search(query)
        found += answer.matches
        blamed |= {gap.gist for gap in answer.incomplete if gap.gist is not None}
        following = answer.end.next
        query = None if following is None else replace(query, cursor=following)
        if call > 3:
            world.github.on_page = lambda _number: None
    assert query is None
    urls = {f"https://gist.github.com/{gist}" for gist in found}
    assert len(urls) == len(found)
    assert world.always <= urls
    assert blamed <= world.slow - urls


def test_one_gist_shows_a_thousand_matches() -> None:
    """`more` marks the others, and the answer reports it once."""
    github = Github()
    github.add("octocat", *(File(name, b"needle " * 400) for name in "abcd"))
    github.add("octocat", File("few", b"needle " * 3))
    answer = search(github, replace(NEEDLE, max_count=1000))
    few, many = [event for event in answer.events if isinstance(event, Match)]
    assert [len(file.hits) for file in many.files] == [400, 400, 200]
    assert [file.more for file in many.files] == [False, False, True]
    assert [file.more for file in few.files] == [False]
    assert reasons(answer) == [(None, "too_many_matches")]
    assert answer.end.next is None


def test_one_answer_shows_ten_thousand_matches() -> None:
    """The gist that would exceed the limit is owed; following `next` returns every match."""
    github = Github()
    for _ in range(25):
        github.add("octocat", File(text=b"needle " * 900))
    answers = list(follow(github, replace(NEEDLE, max_count=1000)))
    assert [len(answer.matches) for answer in answers] == [11, 11, 3]
    assert [reasons(answer) for answer in answers] == [
        [(None, "too_many_matches")],
        [(None, "too_many_matches")],
        [],
    ]


def test_one_answer_shows_eight_mebicharacters_of_lines() -> None:
    """Context counts; a gist that would exceed the limit is owed; every gist is returned."""
    github = Github()
    text = (b"needle" + b"x" * 290 + b"\n") * 1000
    gists = [github.add("octocat", File(text=text)) for _ in range(5)]
    answers = list(follow(github, replace(NEEDLE, max_count=1000, context=10)))
    assert [len(answer.matches) for answer in answers] == [1] * 5
    assert sorted(match for answer in answers for match in answer.matches) == sorted(
        gist.id for gist in gists
    )
    assert reasons(answers[0]) == [(None, "too_many_matches")]
    assert reasons(answers[-1]) == []


def test_names_and_descriptions_are_searched_on_request() -> None:
    """A match in a name is labelled, and needs no file."""
    github = Github()
    github.add("octocat", File("needle.txt"), File("other"))
    assert search(github, NEEDLE).matches == []
    github.asked.clear()
    answer = search(github, replace(NEEDLE, names=True))
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [(found.found_in, found.hits[0].text) for found in match.files] == [
        ("name", "needle.txt")
    ]
    assert github.asked == ["octocat page 1"]
