"""Users, their gists and files: the fake's data, and how tests build it."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tests.fake_github import generator
from tests.fake_github.content import Content, as_content

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_TICK = timedelta(minutes=1)
# GitHub leaves these characters of a path segment unquoted (seen for ' ( ) * = ;)
_LITERAL = "-._~!$&'()*+,;=:@"

Listed = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class File:
    """One file in its current state; its raw address names `sha`."""

    name: str
    content: Content
    sha: str


def as_listed(entry: dict[str, Any]) -> Any:
    """List a gist as it is."""
    return entry


def without(*fields: str) -> Listed:
    """List a gist without these fields."""
    return lambda entry: {name: value for name, value in entry.items() if name not in fields}


class Gist:
    """A gist and all contents it has ever had."""

    def __init__(self, owner: User, gist_id: str, *, created_at: datetime) -> None:
        self.owner = owner
        self.id = gist_id
        self.created_at = created_at
        self.updated_at = created_at
        self.description: str | None = None
        self.public = True
        self.truncated: bool | None = None
        self.listed: Listed = as_listed
        self.commit_sha_urls = False
        self.files: dict[str, File] = {}
        self.contents: dict[tuple[str, str], Content] = {}

    @property
    def html_url(self) -> str:
        """The address of the gist's page, as GitHub lists it."""
        return f"https://gist.github.com/{self.id}"

    @property
    def is_truncated(self) -> bool:
        """Whether the listing shows only the first 300 files."""
        return len(self.files) > 300 if self.truncated is None else self.truncated

    def put(self, name: str, content: Content) -> None:
        """Set a file's content; the previous one stays available under its own hash."""
        sha = content.blob_sha
        if self.commit_sha_urls:
            sha = hashlib.sha1(
                f"commit {self.id} {sha}".encode(), usedforsecurity=False
            ).hexdigest()
        self.files[name] = File(name, content, sha)
        self.contents[sha, name] = content

    def edit(self, files: Mapping[str, bytes | str | Content | None]) -> None:
        """Change files (None deletes one), as a PATCH would; the update time advances."""
        for name, data in files.items():
            if data is None:
                del self.files[name]
            else:
                self.put(name, as_content(data))
        self.updated_at = self.owner.world.tick()

    def delete(self) -> None:
        """Remove the gist from the list, by its id and from the raw host."""
        self.owner.gists = [gist for gist in self.owner.gists if gist is not self]
        del self.owner.world.gists[self.id]

    def raw_path(self, file: File) -> str:
        """The path of a file's raw address."""
        name = quote(file.name, safe=_LITERAL, errors="surrogateescape")
        return f"/{self.owner.login}/{self.id}/raw/{file.sha}/{name}"

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether any file's text has a match."""
        return any(pattern.search(_text(file.content)) for file in self.files.values())


def _text(content: Content) -> str:
    """A file's text: UTF-16 if it begins with that byte-order mark, else UTF-8."""
    data = b"".join(content.chunks())
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8", errors="replace")


class User:
    """A user, their gists, and the gists that they starred, in the order of being added."""

    def __init__(self, world: World, login: str, user_id: int) -> None:
        self.world = world
        self.login = login
        self.id = user_id
        self.gists: list[Gist] = []
        self.starred: list[Gist] = []

    def add_gist(
        self,
        files: Mapping[str, bytes | str | Content] | None = None,
        *,
        gist_id: str | None = None,
        description: str | None = "",
        public: bool = True,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        truncated: bool | None = None,
        listed: Listed = as_listed,
        commit_sha_urls: bool = False,
    ) -> Gist:
        """Add a gist that is a minute newer than the one before, unless `created_at` is given.

        `truncated` None: if it has over 300 files. `listed` receives the entry of the listing
        and returns its replacement. `commit_sha_urls`: raw addresses do not name the blob's hash.
        """
        gist_id = gist_id or self.world.next_gist_id()
        if gist_id in self.world.gists:
            raise ValueError(f"there is a gist {gist_id} already")
        gist = Gist(self, gist_id, created_at=created_at or self.world.tick())
        gist.updated_at = updated_at or gist.created_at
        gist.description, gist.public, gist.truncated = description, public, truncated
        gist.listed, gist.commit_sha_urls = listed, commit_sha_urls
        for name, data in (files or {}).items():
            gist.put(name, as_content(data))
        self.world.gists[gist_id] = gist
        self.gists.append(gist)
        return gist

    def generate(
        self, gists: int, *, seed: int = 1, files_per_gist: float = 2, size_bytes: int = 4000
    ) -> None:
        """Add many gists; a seed always makes the same ones. Sizes and file counts are averages."""
        for made in generator.gists(self.login, gists, seed, files_per_gist, size_bytes):
            self.add_gist(made.files, gist_id=made.id, description=made.description)

    def in_order(self) -> list[Gist]:
        """The gists as GitHub lists them: newest created first."""
        gists = self.gists[::-1]  # for equal times, the one added later comes first
        return sorted(gists, key=lambda gist: gist.created_at, reverse=True)

    def matching(self, pattern: str, flags: int = 0) -> list[str]:
        """The expected matches of a search: `html_url` of each public gist, in order."""
        compiled = re.compile(pattern, flags)
        return [g.html_url for g in self.in_order() if g.public and g.matches(compiled)]


class Organization:
    """An organization and its members; the value says whether the membership is public."""

    def __init__(self, login: str, organization_id: int) -> None:
        self.login = login
        self.id = organization_id
        self.members: dict[str, tuple[User, bool]] = {}

    def add(self, user: User, *, public: bool = True) -> None:
        """Make a user a member."""
        self.members[user.login] = user, public

    def remove(self, user: User) -> None:
        """End a user's membership."""
        del self.members[user.login]

    def seen_by(self, caller: User | None) -> list[User]:
        """The members that a caller may see, ordered by numeric id."""
        inside = caller is not None and caller.login in self.members
        found = [user for user, public in self.members.values() if public or inside]
        return sorted(found, key=lambda user: user.id)


class World:
    """All users and gists, with a clock and ids that are the same in every run."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.gists: dict[str, Gist] = {}
        self.organizations: dict[str, Organization] = {}
        self._now = _EPOCH
        self._made = 0

    def add_user(self, login: str) -> User:
        """Add a user without gists; their numeric id counts from 1."""
        user = User(self, login, len(self.users) + 1)
        self.users[login.lower()] = user
        return user

    def add_organization(self, login: str) -> Organization:
        """Add an organization without members."""
        organization = Organization(login, 1000 + len(self.organizations))
        self.organizations[login.lower()] = organization
        return organization

    def user(self, login: str) -> User | None:
        """The user with that login; case does not matter."""
        return self.users.get(login.lower())

    def user_by_id(self, digits: str) -> User | None:
        """The user with that numeric id."""
        found: Iterable[User] = (user for user in self.users.values() if str(user.id) == digits)
        return next(iter(found), None)

    def organization(self, name: str) -> Organization | None:
        """The organization with that login (case does not matter) or numeric id."""
        by_id = (found for found in self.organizations.values() if str(found.id) == name)
        return self.organizations.get(name.lower()) or next(by_id, None)

    def turn_to(self, moment: datetime) -> None:
        """Set the world's own clock."""
        self._now = moment

    def tick(self) -> datetime:
        """Return the next minute of the world's own clock."""
        self._now += _TICK
        return self._now

    def next_gist_id(self) -> str:
        """An id of 32 hex digits."""
        self._made += 1
        return hashlib.md5(b"gist %d" % self._made, usedforsecurity=False).hexdigest()
