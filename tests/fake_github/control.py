"""`/_fake/…` on the API's port: lets another process read counts and set switches."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.fake_github.answers import error
from tests.fake_github.content import Content, Repeated, as_content
from tests.fake_github.faults import Fault, Faults
from tests.fake_github.message import OriginName, Request, Response, from_json
from tests.fake_github.model import User, World
from tests.fake_github.traffic import Pace, Traffic

PREFIX = "/_fake/"


class Controlled(Protocol):
    """The parts of the fake that can be controlled from outside."""

    world: World
    faults: Faults
    traffic: dict[OriginName, Traffic]

    def forget(self) -> None:
        """Clear requests and counts."""

    def limit_raw(
        self,
        *,
        most_per_second: int | None = None,
        most_in_all: int | None = None,
        retry_after: str | None = None,
    ) -> None:
        """Set the raw host's limit."""


class Control:
    """Answers the control addresses.

    `GET traffic`: the counts of each origin. `POST forget`: set the counts to zero.
    `POST network {"raw": {"latency_seconds", "bytes_per_second", "shared_bytes_per_second"}}`.
    `POST raw {"most_per_second", "most_in_all", "retry_after"}`: the raw host's own limit.
    `POST faults`: the arguments of `Faults.inject` and the fields of `Fault` in one object;
    `answer` is `{"status", "headers", "text"}`. `DELETE faults`: remove all faults.
    `POST gists {"login", "files": {name: text or {"block", "size", "patches": {offset: text}}}}`
    adds one gist, `POST generate {"login", "gists", "seed", …}` many; `POST edit {"id", "files"}`
    changes one.
    """

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def respond(self, request: Request) -> Response:
        """Carry out a request; 400 with the reason if it is malformed."""
        try:
            return from_json(200, self._do(request, json.loads(request.body or b"{}")))
        except (KeyError, TypeError, ValueError) as reason:
            return error(400, repr(reason))

    def _do(self, request: Request, value: dict[str, Any]) -> Any:
        match request.method, request.path.removeprefix(PREFIX):
            case "POST", "forget":
                self._controlled.forget()
            case "POST", "network":
                for name, network in value.items():
                    _set_network(self._controlled.traffic[_origin(name)], **network)
            case "POST", "raw":
                self._controlled.limit_raw(**value)
            case "POST", "faults":
                _inject(self._controlled.faults, value)
            case "DELETE", "faults":
                self._controlled.faults.clear()
            case "POST", ("gists" | "edit" | "generate") as what:
                return self._change(what, value)
            case "GET", "traffic":
                pass
            case _:
                raise ValueError("no such address")
        return {name: traffic.counts() for name, traffic in self._controlled.traffic.items()}

    def _change(self, what: str, value: dict[str, Any]) -> Any:
        """Return the number of users and gists."""
        if what == "generate":
            return self._user(value).generate(**{k: v for k, v in value.items() if k != "login"})
        if what == "edit":
            gist = self._controlled.world.gists[value["id"]]
            gist.edit(_files(value))
            # The real time: the world's own clock is years behind, and `since` would hide the edit.
            gist.updated_at = datetime.now(UTC)
            return {"html_url": gist.html_url}
        return {"html_url": self._user(value).add_gist(_files(value)).html_url}

    def _user(self, value: dict[str, Any]) -> User:
        world = self._controlled.world
        return world.user(value["login"]) or world.add_user(value["login"])


def _origin(name: str) -> OriginName:
    match name:
        case "api" | "raw" | "git":
            return name
    raise ValueError(f"no such origin: {name}")


def _set_network(
    traffic: Traffic,
    *,
    latency_seconds: float = 0,
    bytes_per_second: float | None = None,
    shared_bytes_per_second: float | None = None,
) -> None:
    shared = shared_bytes_per_second
    traffic.latency_seconds = latency_seconds
    traffic.bytes_per_second = bytes_per_second
    traffic.shared_pace = None if shared is None else Pace(shared)


def _inject(faults: Faults, value: dict[str, Any]) -> None:
    names = {field.name for field in fields(Fault)}
    if "answer" in value:
        answer = value["answer"]
        body = as_content(answer.get("text", ""))
        value["answer"] = Response(answer["status"], answer.get("headers", {}), body)
    fault = Fault(**{name: given for name, given in value.items() if name in names})
    faults.inject(fault, **{name: given for name, given in value.items() if name not in names})


def _files(value: dict[str, Any]) -> dict[str, Content]:
    return {name: _content(given) for name, given in value["files"].items()}


def _content(given: str | dict[str, Any]) -> Content:
    if isinstance(given, str):
        return as_content(given)
    patches = {int(offset): text.encode() for offset, text in given.get("patches", {}).items()}
    return Repeated(given["block"].encode(), given["size"], patches)
