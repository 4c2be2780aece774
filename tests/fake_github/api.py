"""The API's origin: `GET /users/{username}/gists`, `POST /graphql` and what is around them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from tests.fake_github import answers
from tests.fake_github.content import EMPTY, gzipped
from tests.fake_github.graphql import Graphql
from tests.fake_github.limits import RateLimit
from tests.fake_github.message import Request, Response, from_json, text
from tests.fake_github.model import User, World
from tests.fake_github.render import Renderer

_OLD = "2022-11-28"
_VERSIONS = (_OLD, "2026-03-10")


class Api:
    """Answers as api.github.com does.

    `tokens`: the ones that are good, None when all are. `link_last`: whether Link names the last
    page. `retired_versions` answer 410.
    """

    def __init__(self, world: World, api_url: str, raw_url: str, rate_limit: RateLimit) -> None:
        self.rate_limit = rate_limit
        self.tokens: set[str] | None = None
        self.link_last = True
        self.retired_versions = {"2021-10-04"}
        self._world = world
        self._url = api_url
        self._renderer = Renderer(api_url, raw_url)
        self.graphql = Graphql(world)

    def respond(self, request: Request) -> Response:
        """The whole answer, its headers and the rate limit included."""
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
        token = request.headers.get("authorization", "").partition(" ")[2]
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
        query = request.query
        size = min(_positive(query.get("per_page"), 30), 100)
        page = _positive(query.get("page"), 1)
        # who asks with a token is taken for the owner, and sees secret gists too
        secret = "authorization" in request.headers
        gists = [gist for gist in user.in_order() if gist.public or secret]
        if since := query.get("since"):
            earliest = datetime.fromisoformat(since).astimezone(UTC)
            gists = [gist for gist in gists if gist.updated_at >= earliest]
        old = _version(request) == _OLD
        shown = [self._renderer.listed(g, old=old) for g in gists[(page - 1) * size : page * size]]
        link = self._link(user, query, page, -(-len(gists) // size))
        return from_json(200, shown, {"Link": link} if link else None)

    def _link(self, user: User, query: dict[str, str], page: int, pages: int) -> str:
        numbers: dict[str, int] = {}
        if page > 1:
            numbers |= {"prev": page - 1}
        if page < pages:
            numbers |= {"next": page + 1}
            numbers |= {"last": pages} if self.link_last else {}
        if page > 1:
            numbers |= {"first": 1}
        address = f"{self._url}/user/{user.id}/gists"
        return ", ".join(
            f'<{address}?{urlencode(query | {"page": number})}>; rel="{relation}"'
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


def _version(request: Request) -> str:
    return request.headers.get("x-github-api-version", _OLD)


def _positive(digits: str | None, default: int) -> int:
    return int(digits) if digits and digits.isdecimal() and int(digits) > 0 else default
