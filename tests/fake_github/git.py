"""Gists as git repositories: dulwich's smart HTTP server on repositories built on demand."""

from __future__ import annotations

from io import BytesIO
from typing import Any, cast

from dulwich.errors import NotGitRepository
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import HEADREF, Ref
from dulwich.repo import MemoryRepo
from dulwich.server import Backend, BackendRepo
from dulwich.web import GunzipFilter, HTTPGitApplication

from tests.fake_github.answers import not_found
from tests.fake_github.content import as_content
from tests.fake_github.message import Request, Response
from tests.fake_github.model import Gist, World

# a name that a client cannot guess: it has to read HEAD
_BRANCH = Ref(b"refs/heads/trunk")
_AUTHOR = b"GitHub <noreply@github.com>"


class Git(Backend):
    """Serves `/{id}.git` for cloning; pushing is refused."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._application = GunzipFilter(HTTPGitApplication(self))

    def respond(self, request: Request) -> Response:
        """Answer one step of a clone; blocks while the pack is built."""
        reads = request.query.get("service") == "git-upload-pack"
        if not reads and not request.path.endswith("/git-upload-pack"):
            return not_found()
        written: list[bytes] = []
        status, headers = 500, dict[str, str]()

        def start_response(line: str, fields: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line.partition(" ")[0]), dict(fields)
            return written.append

        written.extend(self._application(_environ(request), start_response))
        headers.pop("Content-Length", None)
        return Response(status, headers, as_content(b"".join(written)))

    def open_repository(self, path: str | bytes) -> BackendRepo:
        """Build the repository of a gist. Raises NotGitRepository for an unknown one."""
        name = path.decode() if isinstance(path, bytes) else path
        gist = self._world.gists.get(name.strip("/").removesuffix(".git"))
        if gist is None:
            raise NotGitRepository("Repository not found.")
        # dulwich's server needs less than its annotation says
        return cast("BackendRepo", _repository(gist))


def _repository(gist: Gist) -> MemoryRepo:
    """One commit with all of a gist's files, flat; without files there is no commit."""
    repository = MemoryRepo()
    repository.refs.set_symbolic_ref(HEADREF, _BRANCH)
    if not gist.files:
        return repository
    tree = Tree()
    for file in gist.files.values():
        blob = Blob.from_string(b"".join(file.content.chunks()))
        repository.object_store.add_object(blob)
        tree.add(file.name.encode("utf-8", "surrogateescape"), 0o100644, blob.id)
    commit = Commit()
    commit.tree = tree.id
    commit.author = commit.committer = _AUTHOR
    commit.author_time = commit.commit_time = int(gist.updated_at.timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = b""
    repository.object_store.add_object(tree)
    repository.object_store.add_object(commit)
    repository.refs[_BRANCH] = commit.id
    return repository


def _environ(request: Request) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.target.partition("?")[2],
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "wsgi.input": BytesIO(request.body),
    }
