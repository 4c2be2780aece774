"""The reorder buffer and its cursor: each gist is released once, in whatever order gists finish."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gistapi.models import Gist, Incomplete, Match, Query
from gistapi.search import cursor as cursors
from gistapi.search.cursor import Cursor, Place
from gistapi.search.reorder import NOTHING, Outcome, ReorderBuffer, Slot

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
QUERY = Query("octocat", "x")
WINDOW = 64


def gist_of(number: int, second: int) -> Gist:
    """A gist with a 32-digit id, created this many seconds before noon."""
    created_at = NOON - timedelta(seconds=second)
    gist_id = f"{number:032x}"
    url = f"https://gist.github.com/{gist_id}"
    return Gist(gist_id, url, None, created_at, created_at, (), truncated=False, git_pull_url=None)


def outcome_of(slot: Slot, *, matches: bool) -> Outcome:
    """A match, or an incomplete gist."""
    if matches:
        return Outcome(Match(slot.gist, (), slot.number))
    return Outcome(None, (Incomplete(slot.gist.html_url, None, "file_unavailable", ""),))


@dataclass
class Searched:
    """One answer of a search, which leaves some gists undecided."""

    cursor: Cursor
    limit: int | None
    released: list[str] = field(default_factory=list)
    next: Cursor | None = None

    def over(self, listing: list[tuple[Place, Gist]], chance: random.Random) -> Searched:
        """Begin some gists in order, decide some of those in any order, and stop."""
        buffer = ReorderBuffer(self.cursor, self.limit)
        shown = chance.choice([len(listing), chance.randint(0, len(listing))])
        slots = [slot for place, gist in listing[:shown] if (slot := buffer.add(place, gist))]
        begun = slots[: chance.choice([WINDOW, chance.randint(0, WINDOW)])]
        for slot in begun:
            buffer.begin(slot, 0.0)
        undecided = set(chance.sample(begun, chance.choice([0, chance.randint(0, len(begun))])))
        deciding = [slot for slot in begun if slot not in undecided]
        chance.shuffle(deciding)
        for slot in deciding:
            if not buffer.is_full:
                self._take(buffer.complete(slot, outcome_of(slot, matches=is_match(slot.gist))))
        if not buffer.is_full:
            self._take(buffer.flush())
        whole = shown == len(listing) and buffer.is_empty
        self.next, left_out = (None, []) if whole else buffer.cursor()
        assert left_out == []
        return self

    def _take(self, events: object) -> None:
        for event in events:  # type: ignore[attr-defined]
            self.released.append(
                event.gist.html_url if isinstance(event, Match) else str(event.gist)
            )


def is_match(gist: Gist) -> bool:
    """Whether a gist matches, as two of three do."""
    return int(gist.id, 16) % 3 > 0


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    seconds=st.lists(st.integers(0, 6), max_size=150),
    targets=st.integers(1, 3),
)
def test_following_the_cursor_releases_each_gist_once(
    seed: int, seconds: list[int], targets: int
) -> None:
    """For any order of completion, limits, ties, new and deleted gists, and several targets."""
    chance = random.Random(seed)
    listing = [
        (Place(chance.randrange(targets)), gist_of(number, second))
        for number, second in enumerate(sorted(seconds))
    ]
    listing.sort(key=lambda item: item[0].target)
    always = {gist.html_url for _, gist in listing}
    released: list[str] = []
    cursor: Cursor | None = Cursor()
    for call in range(2000):
        if cursor is None:
            break
        limit = chance.choice([None, None, chance.randint(1, 5)])
        answer = Searched(cursor, limit).over(listing, chance)
        matches = sum(is_match(gist) for _, gist in listing if gist.html_url in answer.released)
        assert limit is None or matches <= limit
        released += answer.released
        cursor = answer.next
        if cursor is not None:
            text = cursors.encode(cursor, QUERY)
            assert len(text) < cursors.MAX_CHARACTERS
            assert cursors.decode(replace(QUERY, cursor=text)) == cursor
        if listing and call < 3:
            place, gone = listing.pop(chance.randrange(len(listing)))
            always.discard(gone.html_url)
            listing.insert(
                next((n for n, item in enumerate(listing) if item[0] == place), len(listing)),
                (place, gist_of(1000 + call, -call - 1)),
            )
    assert cursor is None
    assert len(released) == len(set(released))
    assert always <= set(released)


@given(seed=st.integers(0, 2**32), limit=st.sampled_from([None, 1, 3]))
def test_gists_without_a_result_are_completed_together_as_one_by_one(
    seed: int, limit: int | None
) -> None:
    """What is released, the cursor and the counts are the same."""
    chance = random.Random(seed)
    places = chance.sample(range(20), chance.randint(0, 20))
    matching = set(chance.sample(range(20), 5))
    groups = [places[start : start + 4] for start in range(0, len(places), 4)]

    def search(*, together: bool) -> tuple[list[str], Cursor, int, int, bool]:
        buffer = ReorderBuffer(Cursor(), limit)
        slots = [buffer.add(Place(), gist_of(number, number // 3)) for number in range(20)]
        released: list[Match | Incomplete] = []
        for group in groups:
            chosen = [slot for number in group if (slot := slots[number]) and not buffer.is_full]
            for slot in chosen:
                buffer.begin(slot, 0.0)
            without = [slot for slot in chosen if slot.number not in matching]
            if together:
                released += buffer.complete_without(without)
            else:
                released += [event for slot in without for event in buffer.complete(slot, NOTHING)]
            for slot in chosen:
                if slot.number in matching and not buffer.is_full:
                    released += buffer.complete(slot, outcome_of(slot, matches=True))
        urls = [event.gist.html_url for event in released if isinstance(event, Match)]
        return urls, buffer.cursor()[0], buffer.done, buffer.decided, buffer.is_empty

    assert search(together=True) == search(together=False)


def test_without_a_limit_results_are_released_as_they_come() -> None:
    """A gist that hangs delays none of the others."""
    buffer = ReorderBuffer(Cursor(), None)
    slots = [buffer.add(Place(), gist_of(number, number)) for number in range(3)]
    for slot in slots:
        assert slot is not None
        buffer.begin(slot, 0.0)
    last = slots[2]
    assert last is not None
    assert list(buffer.complete(last, outcome_of(last, matches=True)))
    assert not buffer.is_empty
    cursor, _ = buffer.cursor()
    assert cursor.owed == {gist_of(0, 0).id, gist_of(1, 1).id}


def test_with_a_limit_results_wait_for_earlier_gists() -> None:
    """Results are released in the order of the listing, up to the limit."""
    buffer = ReorderBuffer(Cursor(), 2)
    slots = [buffer.add(Place(), gist_of(3 * number + 1, number)) for number in range(4)]
    for slot in slots:
        assert slot is not None
        buffer.begin(slot, 0.0)
    for place, released in ((3, 0), (1, 0), (0, 2)):
        slot = slots[place]
        assert slot is not None
        assert len(list(buffer.complete(slot, outcome_of(slot, matches=True)))) == released
    assert buffer.is_full
    cursor, _ = buffer.cursor()
    assert cursor.before == NOON - timedelta(seconds=1)
    assert cursor.owed == frozenset()


def test_a_gist_listed_late_is_owed() -> None:
    """A shift hid the gist until the far end had passed its time."""
    buffer = ReorderBuffer(Cursor(), None)
    first = buffer.add(Place(), gist_of(1, 5))
    late = buffer.add(Place(), gist_of(2, 3))
    assert first is not None
    assert late is not None
    buffer.begin(first, 0.0)
    list(buffer.complete(first, Outcome()))
    cursor, _ = buffer.cursor()
    assert cursor.owed == {late.gist.id}
    again = ReorderBuffer(cursor, None)
    assert again.add(Place(), late.gist) is not None
    assert again.add(Place(), first.gist) is None
