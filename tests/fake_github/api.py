"""The API's origin: lists of gists and of members, single gists, `POST /graphql`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from tests.fake_github import answers
from tests.fake_github.content import EMPTY, gzipped
from tests.fake_github.graphql import Graphql
from tests.fake_github.limits import RateLimit
from tests.fake_github.message import Request, Response, from_json, text
from tests.fake_github.model import Gist, User, World
from tests.fake_github.render import Renderer

T = TypeVar("T")

_OLD = "2022-11-28"
_VERSIONS = (_OLD, "2026-03-10")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token's owner, and whether the token has the scope `gist`."""

    user: User
    gist: bool


class Api:
    """Answers as api.github.com does.

    `tokens`: the valid ones, None if all are. `link_last`: whether `Link` names the last page.
    `members_redirect`: outsiders are redirected to an organization's public members, as older
    servers do. `retired_versions` are answered 410.
    """

    def __init__(self, world: World, api_url: str, raw_url: str, rate_limit: RateLimit) -> None:
        self.rate_limit = rate_limit
        self.tokens: set[str] | None = None
        self.link_last = True
        self.members_redirect = False
        self._grants: dict[str, Grant] = {}
        self.retired_versions = {"2021-10-04"}
        self._world = world
        self._url = api_url
        self._renderer = Renderer(api_url, raw_url)
        self.graphql = Graphql(world)

    def grant(self, token: str, user: User, *, gist: bool = True) -> None:
        """Make a token a user's, with or without the scope `gist`."""
        self._grants[token] = Grant(user, gist)

    def respond(self, request: Request) -> Response:
        """The answer with its headers and the state of the rate limit."""
        if not request.headers.get("user-agent"):
            return text(403, "Request forbidden by administrative rules. Send a User-Agent.\n")
        if (request.method, request.path) == ("POST", "/graphql"):
            response = self._refuse_token(request) or self.graphql.respond(request)
            return self._finish(request, response, self.graphql.rate_limit)
        if request.path == "/rate_limit":
            return self._finish(request, self.rate_limit.overview(request))
        if self.rate_limit.exceeded(request):
            return self._finish(request, self.rate_limit.refusal())
        response = self._conditional(request, self._refuse(request) or self._route(request))
        # https://docs.github.com/rest/using-the-rest-api/best-practices: conditional requests
        if response.status != 304 or "authorization" not in request.headers:
            self.rate_limit.spend(request)
        return self._finish(request, response)

    def _refuse(self, request: Request) -> Response | None:
        version = _version(request)
        if version in self.retired_versions:
            return answers.error(410, f"The API version {version} is no longer available.")
        if version not in _VERSIONS:
            return answers.error(400, f"{version} is not a valid API version.")
        if request.method not in {"GET", "HEAD"}:
            return answers.not_found()
        return self._refuse_token(request)

    def _refuse_token(self, request: Request) -> Response | None:
        token = _token(request)
        if token and self.tokens is not None and token not in self.tokens:
            return answers.bad_credentials()
        return None

    def _route(self, request: Request) -> Response:
        match request.segments:
            case ["users", login]:
                return self._of_user(self._world.user(login), self._profile)
            case ["user", digits]:
                return self._of_user(self._world.user_by_id(digits), self._profile)
            case ["users", login, "gists"]:
                return self._of_user(
                    self._world.user(login), lambda user: self._list(user, request)
                )
            case ["user", digits, "gists"]:
                return self._of_user(
                    self._world.user_by_id(digits), lambda user: self._list(user, request)
                )
        return self._route_others(request)

    def _route_others(self, request: Request) -> Response:
        match request.segments:
            case ["gists"]:
                return self._own(request)
            case ["gists", "starred"]:
                return self._starred(request)
            case ["orgs" | "organizations", name, ("members" | "public_members") as which]:
                return self._members(name, request, public=which == "public_members")
            case ["gists", gist_id] if gist := self._world.gists.get(gist_id):
                old = _version(request) == _OLD
                return from_json(200, self._renderer.single(gist, old=old))
        return answers.not_found()

    @staticmethod
    def _of_user(user: User | None, answer: Callable[[User], Response]) -> Response:
        return answers.not_found() if user is None else answer(user)

    def _profile(self, user: User) -> Response:
        return from_json(200, self._renderer.user(user))

    def _list(self, user: User, request: Request) -> Response:
        # a token belongs to the user who is listed unless it was granted to another, and shows all
        grant = self._grants.get(_token(request))
        own = bool(_token(request)) and (grant is None or grant.user is user)
        gists = [gist for gist in user.in_order() if gist.public or own]
        return self._gists(gists, request, f"user/{user.id}/gists")

    def _own(self, request: Request) -> Response:
        """`GET /gists`: the token's own gists; without a token everybody's public ones."""
        if not _token(request):
            public = [gist for gist in self._world.gists.values() if gist.public]
            public.sort(key=lambda gist: gist.updated_at, reverse=True)
            return self._gists(public, request, "gists")
        grant = self._grants.get(_token(request))
        if grant is None or not grant.gist:
            return answers.not_found()
        return self._gists(grant.user.in_order(), request, "gists")

    def _starred(self, request: Request) -> Response:
        if not _token(request):
            return answers.error(401, "Requires authentication")
        grant = self._grants.get(_token(request))
        if grant is None or not grant.gist:
            return answers.not_found()
        return self._gists(grant.user.starred[::-1], request, "gists/starred")

    def _members(self, name: str, request: Request, *, public: bool) -> Response:
        found = self._world.organization(name)
        if found is None:
            return answers.not_found()
        grant = self._grants.get(_token(request))
        caller = None if public or grant is None else grant.user
        if self.members_redirect and not public and caller is None:
            target = f"{self._url}{request.target.replace('/members', '/public_members')}"
            return Response(302, {"Location": target})
        users = [self._renderer.owner(user) for user in found.seen_by(caller)]
        which = "public_members" if public else "members"
        return self._page(users, request, f"organizations/{found.id}/{which}")

    def _gists(self, gists: list[Gist], request: Request, path: str) -> Response:
        if since := request.query.get("since"):
            earliest = datetime.fromisoformat(since).astimezone(UTC)
            gists = [gist for gist in gists if gist.updated_at >= earliest]
        old = _version(request) == _OLD
        return self._page(gists, request, path, lambda gist: self._renderer.listed(gist, old=old))

    def _page(
        self,
        entries: Sequence[T],
        request: Request,
        path: str,
        show: Callable[[T], Any] = lambda entry: entry,
    ) -> Response:
        query = request.query
        size = min(_positive(query.get("per_page"), 30), 100)
        page = _positive(query.get("page"), 1)
        shown = [show(entry) for entry in entries[(page - 1) * size : page * size]]
        link = self._link(path, query, page, -(-len(entries) // size))
        return from_json(200, shown, {"Link": link} if link else None)

    def _link(self, path: str, query: dict[str, str], page: int, pages: int) -> str:
        numbers: dict[str, int] = {}
        if page > 1:
            numbers |= {"prev": page - 1}
        if page < pages:
            numbers |= {"next": page + 1}
            numbers |= {"last": pages} if self.link_last else {}
        if page > 1:
            numbers |= {"first": 1}
        return ", ".join(
            f'<{self._url}/{path}?{urlencode(query | {"page": number})}>; rel="{relation}"'
            for relation, number in numbers.items()
            if pages > 1
        )

    @staticmethod
    def _conditional(request: Request, response: Response) -> Response:
        if response.status != 200:
            return response
        etag = f'W/"{hashlib.sha256(b"".join(response.body.chunks())).hexdigest()}"'
        who = "private" if "authorization" in request.headers else "public"
        headers = {
            **response.headers,
            "ETag": etag,
            "Cache-Control": f"{who}, max-age=60, s-maxage=60",
            "Vary": "Accept, Authorization, Cookie, Accept-Encoding",
        }
        if request.has_etag(etag):
            del headers["Content-Type"]
            return Response(304, headers)
        return Response(200, headers, response.body)

    def _finish(
        self, request: Request, response: Response, limit: RateLimit | None = None
    ) -> Response:
        headers = {
            **response.headers,
            **(limit or self.rate_limit).headers(request),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Api-Version-Selected": _version(request),
        }
        body = response.body
        if request.wants_gzip and body is not EMPTY:
            headers["Content-Encoding"] = "gzip"
            body = gzipped(body)
        return Response(response.status, headers, body)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2]


def _version(request: Request) -> str:
    return request.headers.get("x-github-api-version", _OLD)


def _positive(digits: str | None, default: int) -> int:
    return int(digits) if digits and digits.isdecimal() and int(digits) > 0 else default
