"""One request to GitHub and its answer, whose end is observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gistapi.events import GithubRequestEnded, Observer
from gistapi.github.host_limits import Permit
from gistapi.github.http import Answer, Http, SilenceError, TransientError
from gistapi.github.http_errors import cause_of
from gistapi.github.url_policy import Kind, Origin

PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and where to."""

    url: str
    origin: Origin
    kind: Kind
    headers: Mapping[str, str]
    body: bytes | None


class Exchange:
    """A context with the answer to one request. No generator: one for each file costs more."""

    def __init__(self, http: Http, observe: Observer, request: Request, permit: Permit) -> None:
        self._http = http
        self._observe = observe
        self._request = request
        self._permit = permit
        self._answer: Answer | None = None

    async def __aenter__(self) -> Answer:
        request = self._request
        quoted = quote(request.url, safe=PRINTABLE_ASCII)  # only what cannot be sent as it is
        try:
            self._answer = await self._http.send(
                quoted, str(request.origin), request.headers, request.body
            )
        except BaseException as error:
            self._end(error)
            raise
        return self._answer

    async def __aexit__(self, _: object, error: BaseException | None, trace: object) -> None:
        self._end(None if isinstance(error, GeneratorExit) else error)

    def _end(self, error: BaseException | None) -> None:
        answer, permit = self._answer, self._permit
        if answer is not None:
            answer.close()
        if isinstance(error, SilenceError) or (
            answer is None and isinstance(error, TransientError)
        ):
            permit.fail()
        self._observe(
            GithubRequestEnded(
                kind=self._request.kind,
                host=self._request.origin.netloc,
                status=None if answer is None else answer.status,
                error=None if error is None else type(error).__name__,
                duration_seconds=permit.host.now() - permit.sent_at,
                size_bytes=0 if answer is None else answer.received,
                message=None if error is None else cause_of(error),
            )
        )
