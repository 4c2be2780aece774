"""One search in loop time: deadlines, limits, failures and progress, without any waiting."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gistapi.errors import (
    ByteQuotaError,
    GistapiError,
    GithubError,
    GithubRateLimitedError,
    GithubTimeoutError,
    IncompleteError,
    OverloadedError,
    RateLimitedError,
    UserNotFoundError,
)
from gistapi.models import Begin, Match, Progress, Query, TargetEnd
from gistapi.search.feeder import WINDOW
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
    """What is missing, and why."""
    return [(gap.gist, gap.reason) for gap in answer.incomplete]


def test_a_deadline_returns_every_match_found() -> None:
    """Those beyond a gist that hangs too; the cursor owes the gist, and the rest comes by it."""
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
    """It is tried once among others and once alone; then it is a gap, and the search ends."""
    github = Github()
    gists = [github.add("octocat", HANGS if number == 5 else HIT) for number in range(10)]
    first, second, last = follow(github, NEEDLE)
    assert len(first.matches) == 9
    assert reasons(first) == [(None, "deadline")]
    assert reasons(second) == [(gists[5].html_url, "deadline"), (None, "deadline")]
    assert reasons(last) == []


def test_no_gist_is_blamed_for_a_slow_listing() -> None:
    """The listing takes most of the deadline; every gist is found in the end."""
    github = Github(page_seconds=18)
    gists = [github.add("octocat", replace(HIT, seconds=4)) for _ in range(45)]
    answers = list(follow(github, NEEDLE))
    found = [match for answer in answers for match in answer.matches]
    assert sorted(found) == sorted(gist.id for gist in gists)
    assert {gap for answer in answers for gap in reasons(answer)} == {(None, "deadline")}


def test_a_gist_alone_is_not_blamed_for_a_slow_listing() -> None:
    """A search that had nothing but this gist to read says nothing of it, if it came late."""
    github = Github(page_seconds=40)
    gist = github.add("octocat", replace(HIT, seconds=25))
    first = search(github, NEEDLE)
    github.kept.clear()  # so GitHub is as slow again
    second = search(github, replace(NEEDLE, cursor=first.end.next))
    assert reasons(first) == reasons(second) == [(None, "deadline")]
    last = search(github, replace(NEEDLE, cursor=second.end.next))
    assert last.matches == [gist.id]
    assert not last.incomplete


def test_no_gist_is_blamed_for_its_neighbours_bytes() -> None:
    """Large neighbours use up what one search may read; the small gists are found."""
    github = Github()
    large = File("large", b"hay" * 700_000, seconds=5)
    gists = [github.add("octocat", replace(HIT, seconds=9), large) for _ in range(12)]
    bounds = SearchBounds(size_bytes=5_000_000)
    answers = list(follow(github, NEEDLE, bounds=bounds))
    found = [match for answer in answers for match in answer.matches]
    assert sorted(found) == sorted(gist.id for gist in gists)
    assert {gap for answer in answers for gap in reasons(answer)} == {(None, "search_too_large")}


def test_a_gist_larger_than_one_search_is_given_up() -> None:
    """Tried once among others, once alone; the others are found."""
    github = Github()
    small = github.add("octocat", HIT)
    large = github.add("octocat", File("large", b"hay" * 2_000_000, seconds=1))
    answers = list(follow(github, NEEDLE, bounds=SearchBounds(size_bytes=3_000_000)))
    assert [match for answer in answers for match in answer.matches] == [small.id]
    assert (large.html_url, "search_too_large") in reasons(answers[1])


def test_a_limit_releases_in_order() -> None:
    """Nothing beyond a slow gist comes before it."""
    github = Github()
    gists = [github.add("octocat", replace(HIT, seconds=1 + n % 7)) for n in range(40)]
    answers = list(follow(github, replace(NEEDLE, limit=7)))
    newest_first = [gist.id for gist in reversed(gists)]
    assert [match for answer in answers for match in answer.matches] == newest_first
    assert not any(answer.incomplete for answer in answers)


def test_a_limit_and_a_deadline_return_what_was_found() -> None:
    """Matches beyond the gist that hangs come at the deadline; none comes twice, none is lost."""
    github = Github()
    gists = [github.add("octocat", HANGS if number == 28 else HIT) for number in range(30)]
    answers = list(follow(github, replace(NEEDLE, limit=10)))
    found = [match for answer in answers for match in answer.matches]
    assert len(answers[0].matches) == 10
    assert sorted(found) == sorted(gist.id for gist in gists if gist is not gists[28])


def test_a_gist_that_was_lost_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is cancelled by nobody who waits for it never makes the answer look whole."""
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


def test_the_end_says_how_old_the_listing_was() -> None:
    """In whole seconds; the oldest of several counts."""
    github = Github(age_seconds=42.7)
    github.add("octocat", HIT)
    assert search(github, NEEDLE).end.searched.listing_age_seconds == 42


def test_the_window_counts_undecided_gists() -> None:
    """One that hangs keeps only its own place: all the others of 300 are searched."""
    github = Github()
    for number in range(300):
        github.add("octocat", HANGS if number == 299 else HIT)
    answer = search(github, NEEDLE)
    assert len(answer.matches) == 299


def test_a_listing_is_not_read_far_ahead() -> None:
    """While nothing can be begun, pages are not asked for without bound."""
    github = Github()
    for _ in range(10 * WINDOW):
        github.add("octocat", HANGS)
    search(github, NEEDLE)
    pages = [asked for asked in github.asked if "page" in asked]
    assert len(pages) <= WINDOW / PAGE + PAGES_AHEAD + 3  # at both ends of the queue, and cut


def test_a_narrow_filter_costs_no_round_trips() -> None:
    """Ten wanted files in 640 gists are read side by side, once the last page has come."""
    github = Github(page_seconds=0.1)
    for number in range(640):
        github.add("octocat", File("a.py" if number % 64 == 0 else "b.md", b"needle", seconds=1))
    answer = search(github, replace(NEEDLE, files=("*.py",)))
    assert len(answer.matches) == 10
    ended_at, _ = answer.timed[-1]
    assert ended_at == pytest.approx(64 * 0.1 + 1, abs=0.1)
    assert github.most_reading > 1


def test_a_search_alone_uses_all_its_places() -> None:
    """Sixteen of sixteen, from the first page on."""
    github = Github()
    for _ in range(100):
        github.add("octocat", replace(HIT, seconds=2))
    search(github, NEEDLE, concurrency=16)
    assert github.most_reading == 16


@pytest.mark.parametrize("details", [True, False])
def test_which_match_is_shown_does_not_depend_on_speed(*, details: bool) -> None:
    """With details it is the first file's in listing order; without, any match ends the gist."""
    github = Github()
    slow = File("a.py", b"needle", seconds=9)
    github.add("octocat", File("0.py", seconds=5), slow, File("b.py", b"needle", seconds=0.1))
    answer = search(github, replace(NEEDLE, details=details))
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [file.file.name for file in match.files if file.file] == ["a.py" if details else "b.py"]
    assert (answer.timed[-1][0] > 9) == details


def test_with_max_count_every_file_is_shown() -> None:
    """All that match, in the order of the listing."""
    github = Github()
    github.add("octocat", *(File(name, b"needle", seconds=5 - n) for n, name in enumerate("abcd")))
    answer = search(github, replace(NEEDLE, max_count=3))
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [file.file.name for file in match.files if file.file] == list("abcd")


def test_a_file_that_fails_is_a_gap_unless_its_gist_matches() -> None:
    """The gist that matched is in no gap."""
    github = Github()
    broken = File("bad", error=IncompleteError("file_unavailable", "GitHub answered 500."))
    matching = github.add("octocat", broken, replace(HIT, name="good"))
    failing = github.add("octocat", broken, File("other"))
    answer = search(github, NEEDLE)
    assert answer.matches == [matching.id]
    assert [(gap.gist, gap.file) for gap in answer.incomplete] == [(failing.html_url, "bad")]
    assert answer.end.partial
    assert answer.end.next is None


def test_progress_comes_while_github_is_silent() -> None:
    """Begin after two seconds without a page, then progress each second."""
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
    ("error", "raised"),
    [
        (UserNotFoundError("no such user"), UserNotFoundError),
        (GithubError("500"), GithubError),
        (GithubRateLimitedError("wait", 99), GithubRateLimitedError),
    ],
)
def test_a_listing_that_fails_at_once_is_the_searchs_error(
    error: GistapiError, raised: type[GistapiError]
) -> None:
    """Nothing could be searched."""
    github = Github(errors={"octocat": error})
    with pytest.raises(raised):
        search(github, NEEDLE)


def test_a_listing_that_never_comes_is_a_timeout() -> None:
    """At the deadline, with nothing listed."""
    github = Github(page_seconds=FOREVER)
    with pytest.raises(GithubTimeoutError):
        search(github, NEEDLE)


def test_a_listing_that_breaks_off_leaves_a_cursor() -> None:
    """What was listed is searched; the rest comes later."""
    github = Github()
    for _ in range(25):
        github.add("octocat", HIT)

    def fail(number: int) -> None:
        if number == 2:
            github.errors["octocat"] = GithubError("GitHub answered 500.")

    github.on_page = fail
    answer = search(github, NEEDLE)
    assert len(answer.matches) == 10
    assert reasons(answer) == [(None, "listing_unavailable")]
    github.errors.clear()
    github.on_page = lambda _number: None
    rest = search(github, replace(NEEDLE, cursor=answer.end.next))
    assert len(rest.matches) == 15


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RateLimitedError("Request quota used up.", 5), "github_rate_limited"),
        (ByteQuotaError("Byte quota used up.", 5), "byte_quota"),
    ],
)
def test_a_quota_that_ends_waits_for_what_is_being_read(error: GistapiError, reason: str) -> None:
    """It was paid for; nothing more is begun, and the cursor owes the rest."""
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


def test_a_limit_of_githubs_leaves_the_rest_searched() -> None:
    """Gists that need no refused host are decided; the cursor owes the others."""
    github = Github()
    limited = GithubRateLimitedError("wait", 300)
    for number in range(40):
        github.add("octocat", File(error=limited, seconds=0) if number % 4 == 0 else HIT)
    answer = search(github, NEEDLE)
    assert len(answer.matches) == 30
    assert reasons(answer) == [(None, "github_rate_limited")]
    assert answer.end.next is not None


def test_a_shutdown_ends_a_search_with_a_cursor() -> None:
    """It answers what it has."""
    github = Github()
    for number in range(10):
        github.add("octocat", HANGS if number == 5 else HIT)

    def stop_soon(session: Session) -> None:
        session._loop.call_later(3, session.stop, Stop("shutting_down", "The service stops."))

    answer = search(github, NEEDLE, during=stop_soon)
    assert len(answer.matches) == 9
    assert reasons(answer) == [(None, "shutting_down")]
    assert answer.end.next is not None


def test_a_shutdown_before_the_listing_refuses() -> None:
    """Nothing was searched."""
    github = Github(page_seconds=FOREVER)
    github.add("octocat", HIT)

    def stop_soon(session: Session) -> None:
        session._loop.call_later(3, session.stop, Stop("shutting_down", "The service stops."))

    with pytest.raises(OverloadedError):
        search(github, NEEDLE, during=stop_soon)


def test_several_targets_are_searched_in_order_side_by_side() -> None:
    """Listings are read ahead, matches counted by target, and a failing target ends no other."""
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
    """The first one's error."""
    with pytest.raises(UserNotFoundError):
        search(Github(), replace(NEEDLE, usernames=("hubot",)))


@dataclass
class World:
    """Users with gists of all kinds, and what is known of them."""

    chance: random.Random
    github: Github
    logins: list[str]
    always: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)

    def add(self, number: int) -> None:
        """Add a gist: any size, speed and second."""
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
        """Perhaps delete a gist, or add one, while a page is being read."""
        gists = self.github.users.get(self.chance.choice(self.logins), [])
        if gists and self.chance.random() < 0.1:
            gone, _ = gists.pop(self.chance.randrange(len(gists)))
            self.always.discard(gone.html_url)
        if self.chance.random() < 0.1:
            self.github.add(self.logins[0], HIT)

    def search(self, query: Query) -> Answer:
        """Search with any deadline, bounds and concurrency."""
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
    """Whatever the files, limits, deadlines and bounds are, and whatever comes and goes."""
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
    """The rest is marked by `more`, and the answer says so once."""
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
    """The gist that would exceed it is owed; every match comes by `next`."""
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
    """Context counts; the gist that would exceed it is owed; every gist comes by `next`."""
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


def test_names_and_descriptions_are_searched_if_asked() -> None:
    """A match in a name says so, and needs no file to be read."""
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
