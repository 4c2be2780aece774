"""Two real GitHub clients page through the fake and validate its answers."""

from __future__ import annotations

from contextlib import closing

import pytest
from github import Github, UnknownObjectException
from githubkit import GitHub

from tests.fake_github import FakeGithub, User

FILES = {"a.py": b"import os\n", "né e.md": "# é\n".encode(), "no-language": b"\xff"}


def fill(github: FakeGithub) -> User:
    """Add a user with 130 gists, one of them with three files."""
    octocat = github.add_user("octocat")
    octocat.generate(129)
    octocat.add_gist(FILES, description=None)
    return octocat


def test_githubkit_accepts_all_pages(github: FakeGithub) -> None:
    """Every listed gist, a single one, the user and the limit conform to GitHub's schema."""
    octocat = fill(github)
    with GitHub(base_url=github.api_url, http_cache=False) as client:
        rest = client.rest("2022-11-28")
        pages = client.rest.paginate(rest.gists.list_for_user, username="octocat", per_page=100)
        found = list(pages)
        gist = rest.gists.get(found[0].id).parsed_data
        user = rest.users.get_by_username("octocat").parsed_data
        limit = rest.rate_limit.get().parsed_data
    assert [entry.id for entry in found] == [gist.id for gist in octocat.in_order()]
    assert gist.files.model_dump().keys() == FILES.keys()
    assert user.public_gists == 130
    assert limit.rate.remaining == 60 - 4


def test_githubkit_accepts_the_newer_version(github: FakeGithub) -> None:
    """A list and a single gist conform to the schema of version 2026-03-10."""
    octocat = fill(github)
    with GitHub(base_url=github.api_url, http_cache=False) as client:
        rest = client.rest("2026-03-10")
        found = rest.gists.list_for_user("octocat", per_page=100).parsed_data
        gist = rest.gists.get(found[0].id).parsed_data
    assert [entry.id for entry in found] == [gist.id for gist in octocat.in_order()[:100]]
    assert gist.id == found[0].id


def test_githubkit_accepts_other_lists(github: FakeGithub) -> None:
    """A token's own and starred gists, and members, conform to GitHub's schema."""
    octocat = fill(github)
    octocat.add_gist(FILES, public=False)
    octocat.starred = octocat.gists[:2]
    acme = github.world.add_organization("acme")
    acme.add(octocat, public=False)
    acme.add(github.add_user("other"))
    github.api.grant("canary-token", octocat)
    with GitHub("canary-token", base_url=github.api_url, http_cache=False) as client:
        rest = client.rest("2022-11-28")
        own = list(client.rest.paginate(rest.gists.list, per_page=100))
        starred = rest.gists.list_starred().parsed_data
        members = rest.orgs.list_members("acme").parsed_data
        public = rest.orgs.list_public_members("acme").parsed_data
    assert [gist.id for gist in own] == [gist.id for gist in octocat.in_order()]
    assert [gist.id for gist in starred] == [gist.id for gist in octocat.starred[::-1]]
    assert [member.login for member in members] == ["octocat", "other"]
    assert [member.login for member in public] == ["other"]


def test_pygithub_accepts_all_pages(github: FakeGithub) -> None:
    """PyGithub follows every page on the same host and reads users, gists and files."""
    octocat = fill(github)
    with closing(Github(base_url=github.api_url, retry=None)) as client:
        found = list(client.get_user("octocat").get_gists())
        gist = client.get_gist(found[0].id)
    assert [entry.id for entry in found] == [gist.id for gist in octocat.in_order()]
    assert {name: file.size for name, file in found[0].files.items()} == {
        "a.py": 10,
        "né e.md": 5,
        "no-language": 1,
    }
    assert gist.files["a.py"].content == "import os\n"
    assert found[0].html_url == octocat.in_order()[0].html_url


def test_pygithub_recognizes_an_unknown_user(github: FakeGithub) -> None:
    """It raises its own error for GitHub's 404."""
    with (
        closing(Github(base_url=github.api_url, retry=None)) as client,
        pytest.raises(UnknownObjectException),
    ):
        client.get_user("nobody")
