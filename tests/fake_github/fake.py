"""The fake GitHub: two origins on loopback, served by a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

from tests.fake_github.api import Api
from tests.fake_github.control import PREFIX, Control
from tests.fake_github.faults import NO_FAULT, Fault, Faults
from tests.fake_github.git import Git
from tests.fake_github.limits import RateLimit
from tests.fake_github.listener import Listener
from tests.fake_github.message import OriginName, Request, Response
from tests.fake_github.model import User, World
from tests.fake_github.raw import Raw
from tests.fake_github.server import Site
from tests.fake_github.traffic import Traffic

_REQUESTS_KEPT = 50_000
_STOP_SECONDS = 10

Port = Literal["api", "raw"]


class FakeGithub:
    """A GitHub whose behaviour tests control; use it as a context manager.

    `world`: users and gists. `api`, `raw`: their switches. `rate_limit`: the primary limit.
    `traffic`: latency, bandwidth and counts of "api", "raw" and "git". `faults`: which requests
    fail, and how. Everything can be changed at any time, from any thread.
    """

    def __init__(self, api_port: int = 0, raw_port: int = 0) -> None:
        self._listeners = {"api": Listener(api_port), "raw": Listener(raw_port)}
        self._sites = {
            "api": Site(self._api_origin, self._handle, self._record, self._failed),
            "raw": Site(self._raw_origin, self._handle, self._record, self._failed),
        }
        self.raw_host = self._listeners["raw"].address
        self.raw_url = f"http://{self.raw_host}"
        self.api_url = f"http://{self._listeners['api'].address}"
        self._control = Control(self)
        self._control_traffic = Traffic("control")
        self._failures: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.reset()

    def reset(self) -> None:
        """Return to the initial state: no users, faults or records, default limits and network."""
        self.world = World()
        self.rate_limit = RateLimit()
        self.api = Api(self.world, self.api_url, self.raw_url, self.rate_limit)
        self.raw = Raw(self.world)
        self.git = Git(self.world)
        self.faults = Faults()
        self.traffic: dict[OriginName, Traffic] = {
            "api": Traffic("api"),
            "raw": Traffic("raw"),
            "git": Traffic("git"),
        }
        self._requests: deque[Request] = deque(maxlen=_REQUESTS_KEPT)
        self._hooks: list[Callable[[Request], None]] = []

    def add_user(self, login: str) -> User:
        """Add a user without gists."""
        return self.world.add_user(login)

    def on_request(self, hook: Callable[[Request], None]) -> None:
        """Call `hook` with each request before it is answered, in the server's thread."""
        self._hooks.append(hook)

    @property
    def requests(self) -> list[Request]:
        """The last 50,000 requests, in order of arrival."""
        return list(self._requests)

    def requests_to(self, origin: OriginName) -> list[Request]:
        """The requests that one origin received."""
        return [request for request in self.requests if request.origin == origin]

    def forget(self) -> None:
        """Clear the requests and their counts."""
        self._requests.clear()
        for traffic in self.traffic.values():
            traffic.forget()

    def limit_raw(
        self,
        *,
        most_per_second: int | None = None,
        most_in_all: int | None = None,
        retry_after: str | None = None,
    ) -> None:
        """Set the raw host's own limit; earlier requests do not count."""
        self.raw = Raw(self.world)
        self.raw.most_per_second = most_per_second
        self.raw.most_in_all = most_in_all
        self.raw.retry_after = retry_after

    def wait_quiet(self, seconds: float = 10) -> None:
        """Wait until no request is being answered. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while any(traffic.in_flight for traffic in self.traffic.values()):
            if time.monotonic() > deadline:
                raise TimeoutError("the fake GitHub is still answering")
            time.sleep(0.001)

    def reset_connections(self, port: Port, count: int) -> None:
        """Reset the next connections to a port before any request."""
        self._sites[port].reset_on_accept = count

    @contextmanager
    def refusing(self, port: Port) -> Iterator[None]:
        """Refuse connections to a port while the body of `with` runs; open ones are closed."""
        listener, site = self._listeners[port], self._sites[port]
        self._call(listener.refuse(site))
        try:
            yield
        finally:
            self._call(listener.open(site))

    def start(self) -> Self:
        """Serve; the addresses are known before this."""
        self._thread.start()
        for name, listener in self._listeners.items():
            self._call(listener.open(self._sites[name]))
        return self

    def stop(self) -> None:
        """Close every connection and release the ports."""
        for name, listener in self._listeners.items():
            self._call(listener.close(self._sites[name]))
        self._call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop()
        if self._failures and error is None:
            raise ExceptionGroup("the fake GitHub itself failed", self._failures)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)

    # what the server calls

    def _api_origin(self, target: str) -> Traffic:
        return self._control_traffic if target.startswith(PREFIX) else self.traffic["api"]

    def _raw_origin(self, target: str) -> Traffic:
        return self.traffic["git" if ".git/" in target else "raw"]

    def _record(self, request: Request) -> None:
        if request.origin != "control":
            self._requests.append(request)

    def _failed(self, error: Exception) -> None:
        self._failures.append(error)

    async def _handle(self, request: Request) -> tuple[Response, Fault]:
        if request.origin == "control":
            return self._control.respond(request), NO_FAULT
        for hook in self._hooks:
            hook(request)
        fault = self.faults.of(request)
        if callable(fault.answer):
            return fault.answer(request), fault
        return fault.answer or await self._answer(request), fault

    async def _answer(self, request: Request) -> Response:
        match request.origin:
            case "api":
                return self.api.respond(request)
            case "raw":
                return self.raw.respond(request)
            case _:
                return await asyncio.to_thread(self.git.respond, request)
