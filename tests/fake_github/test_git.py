"""The fake GitHub's gists can be cloned by git and by dulwich."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dulwich.client import HttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import HEADREF
from dulwich.repo import MemoryRepo

from tests.fake_github import FakeGithub, Fault, answers


@pytest.fixture
def client(github: FakeGithub) -> Iterator[HttpGitClient]:
    """Yield dulwich's client for the fake's repositories."""
    with closing(HttpGitClient(github.raw_url)) as found:
        yield found


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)


def clone(url: str, into: Path) -> subprocess.CompletedProcess[str]:
    """Clone with git, depth 1."""
    return git("clone", "--quiet", "--depth", "1", url, str(into))


def fetched(client: HttpGitClient, path: str) -> dict[bytes, bytes]:
    """Fetch the files at HEAD with dulwich, depth 1."""
    with closing(MemoryRepo()) as repository:
        refs = client.fetch(path, repository, depth=1).refs
        head = refs[HEADREF]
        assert head
        commit = repository[head]
        assert isinstance(commit, Commit)
        tree = repository[commit.tree]
        assert isinstance(tree, Tree)
        blobs = {entry.path: repository[entry.sha] for entry in tree.items()}
        assert all(isinstance(blob, Blob) for blob in blobs.values())
        return {name: blob.as_raw_string() for name, blob in blobs.items()}


def test_git_clones_all_files(github: FakeGithub, tmp_path: Path) -> None:
    """Git clones every file of a gist of 450, on the branch that HEAD names."""
    files = {f"{number}.txt": f"text {number}\n" for number in range(450)}
    gist = github.add_user("octocat").add_gist(files)
    done = clone(f"{github.raw_url}/{gist.id}.git", tmp_path / "gist")
    assert (done.returncode, done.stderr) == (0, "")
    found = {p.name: p.read_text() for p in (tmp_path / "gist").iterdir() if p.is_file()}
    assert found == files
    branch = git("-C", str(tmp_path / "gist"), "symbolic-ref", "--short", "HEAD")
    assert branch.stdout == "trunk\n"


def test_dulwich_fetches_odd_names_and_bytes(github: FakeGithub, client: HttpGitClient) -> None:
    """Names and contents are any bytes, as of the latest edit."""
    files = {"a b\n\"'%#": b"1\r\n", "..": b"", "é🫖": b"\xff\0", "\udcff": b"x" * 1_000_000}
    gist = github.add_user("octocat").add_gist(files)
    gist.edit({"..": b"new"})
    expected = {name.encode("utf-8", "surrogateescape"): data for name, data in files.items()}
    assert fetched(client, f"/{gist.id}.git") == expected | {b"..": b"new"}


def test_an_empty_gist_has_no_commit(github: FakeGithub, client: HttpGitClient) -> None:
    """A gist without files is a repository without refs."""
    gist = github.add_user("octocat").add_gist()
    with closing(MemoryRepo()) as repository:
        assert client.fetch(f"/{gist.id}.git", repository).refs == {}


def test_a_deleted_gist_cannot_be_cloned(
    github: FakeGithub, client: HttpGitClient, tmp_path: Path
) -> None:
    """It is no repository; pushing to any gist is refused."""
    octocat = github.add_user("octocat")
    gone, kept = octocat.add_gist({"a": "x"}), octocat.add_gist({"a": "x"})
    gone.delete()
    with pytest.raises(NotGitRepository):
        fetched(client, f"/{gone.id}.git")
    clone(f"{github.raw_url}/{kept.id}.git", tmp_path / "gist")
    pushed = git("-C", str(tmp_path / "gist"), "push", "origin", "HEAD:other")
    assert pushed.returncode != 0


def test_faults_reach_git(github: FakeGithub, client: HttpGitClient) -> None:
    """The requests of a clone belong to the origin "git"; they can be limited and cut."""
    gist = github.add_user("octocat").add_gist({"a": "x" * 1000})
    # without Retry-After: dulwich's client would wait that long, and retry by itself
    github.faults.inject(Fault(answer=answers.raw_limit()), origin="git", times=1)
    with pytest.raises(GitProtocolError, match="429"):
        fetched(client, f"/{gist.id}.git")
    cut = Fault(cut_body_at=60)
    github.faults.inject(cut, path=lambda request: request.method == "POST", times=1)
    with pytest.raises(GitProtocolError, match="60 bytes read"):
        fetched(client, f"/{gist.id}.git")
    assert fetched(client, f"/{gist.id}.git") == {b"a": b"x" * 1000}
    assert {request.origin for request in github.requests} == {"git"}
