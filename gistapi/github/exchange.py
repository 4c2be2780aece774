"""One request to GitHub and its answer: waits, places, redirects, and the report of its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from gistapi.aio.limiter import Places
from gistapi.aio.scope import Scope
from gistapi.errors import GithubError
from gistapi.events import GithubRequestEnded
from gistapi.github.host_limits import Host, Permit
from gistapi.github.http import Answer, SilenceError, TransientError
from gistapi.github.http_errors import cause_of
from gistapi.github.response import Response, raise_for_failure
from gistapi.github.retries import LimitedError
from gistapi.github.url_policy import Kind, redirected

if TYPE_CHECKING:
    from gistapi.github.client import Client

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, where to, for which search, and how long it may wait for the host."""

    url: str
    kind: Kind
    scope: Scope
    headers: Mapping[str, str]
    body: bytes | None
    max_wait_seconds: float


class Exchange:
    """A context with the answer to one request, sent once its host and its lane have a place.

    A GET's redirects are followed. No generator: one for each file costs more.
    """

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self._request = request
        self._places: list[Places] = []
        self._permit: Permit | None = None
        self._is_sent = False
        self._answer: Answer | None = None

    async def begin(self) -> Response:
        """Send the request, and return the answer, whose body is still to be read."""
        try:
            return await self._follow()
        except BaseException as error:
            self.end(error)
            raise

    __aenter__ = begin

    async def __aexit__(self, _: object, error: BaseException | None, trace: object) -> None:
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Close the answer, report it, and give back what was taken. Idempotent."""
        answer, permit = self._answer, self._permit
        if answer is not None:
            answer.close()
        if permit is not None:
            if self._is_sent:
                self._report(permit, None if isinstance(error, GeneratorExit) else error)
            permit.release()
        self._answer = self._permit = None
        self._is_sent = False
        self._give_back()

    async def _follow(self) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._ask()
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or not location or self._request.body is not None:
                return response
            await response.read_error()
            self.end()
            url = redirected(self._request.url, location)
            self._request = replace(self._request, url=url)
        raise GithubError("GitHub redirected too often.")

    async def _ask(self) -> Response:
        client, request = self._client, self._request
        origin = client.policy.allowed(request.url, request.kind)
        host = client.host_at(origin, request.kind, request.scope)
        permit = self._permit = await self._permitted(host)
        request.scope.meter.spend_request()
        self._is_sent = True
        url, headers = request.url, client.headers(request)
        if not url.isascii():  # `allowed` lets nothing else pass that cannot be sent as it is
            url = quote(url, safe=PRINTABLE_ASCII)
        self._answer = await client.http.send(url, origin.url, headers, request.body)
        response = Response(self._answer, request.url, request.scope.meter)
        await raise_for_failure(permit, response)
        return response

    async def _permitted(self, host: Host) -> Permit:
        """A permit to send, with a place at the host and one of the lane."""
        scope = self._request.scope
        while True:
            if (shared := self._client.shared) is not None:
                await shared.learn(self._client.limits.own())
            if (seconds := host.wait_seconds()) > self._request.max_wait_seconds:
                raise LimitedError("GitHub asked for a wait.", retry_after_seconds=seconds)
            if not host.is_open():
                await host.wait(scope.ends_at)
            await self._take(host.throttle.place(scope.lane))
            if host.wait_seconds() <= 0:
                await host.throttle.keep_pace()
                await self._take(scope.lane.place())
                if (permit := host.begin()) is not None:
                    return permit
            self._give_back()  # the host refused another request meanwhile

    async def _take(self, places: Places) -> None:
        if not places.try_take():
            await places.take()
        self._places.append(places)

    def _give_back(self) -> None:
        while self._places:
            self._places.pop().give_back()

    def _report(self, permit: Permit, error: BaseException | None) -> None:
        answer = self._answer
        if isinstance(error, SilenceError) or (
            answer is None and isinstance(error, TransientError)
        ):
            permit.fail()
        self._client.observe(
            GithubRequestEnded(
                kind=self._request.kind,
                host=permit.host.name,
                status=None if answer is None else answer.status,
                error=None if error is None else type(error).__name__,
                duration_seconds=permit.host.now() - permit.sent_at,
                size_bytes=0 if answer is None else answer.received,
                message=None if error is None else cause_of(error),
            )
        )
