"""Reads the contents of one gist from the REST API, which sends up to 1 MB of each file.

https://docs.github.com/en/rest/gists/gists#get-a-gist
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from gistapi.aio.scope import Scope
from gistapi.errors import GithubError, GoneError
from gistapi.github.api import HEADERS
from gistapi.github.client import Client, TransientError
from gistapi.github.entries import parse_json
from gistapi.github.retries import FileRetries


async def single_gist(client: Client, gist_id: str, scope: Scope) -> Mapping[str, bytes]:
    """Return the contents that the API sends whole, by file name, as the gist is now.

    Raises GoneError (404), GithubError, and what `Client.get` raises.
    """
    url = f"{client.api_url}/gists/{quote(gist_id, safe='')}"
    retries = FileRetries(scope)
    while True:
        try:
            async with client.bodies.body(scope.lane) as body:
                async with client.get(
                    url, kind="gist", scope=scope, headers=HEADERS, max_wait_seconds=0
                ) as answer:
                    if answer.status == HTTPStatus.NOT_FOUND:
                        raise GoneError("The gist was deleted since it was listed.")
                    if answer.status != HTTPStatus.OK:
                        raise GithubError(await answer.error_message())
                    await body.read(answer)
                return await body.parse(parse_contents)
        except TransientError as error:
            if error.retry_after_seconds > 0:
                raise
            await retries.again(error)


def parse_contents(body: bytes) -> Mapping[str, bytes]:
    """Return the complete contents in a gist's JSON, by file name.

    Raises GithubError if the body is not a gist.
    """
    gist = parse_json(body)
    files = gist.get("files") if isinstance(gist, dict) else None
    if not isinstance(files, dict):
        raise GithubError("GitHub answered something that is not a gist.")
    contents = {name: _content(file) for name, file in files.items() if isinstance(file, dict)}
    return {name: content for name, content in contents.items() if content is not None}


def _content(file: Mapping[str, Any]) -> bytes | None:
    content = file.get("content")
    if file.get("truncated") is True or not isinstance(content, str):
        return None
    if file.get("encoding") != "base64":
        return content.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(content)
    except ValueError:
        return None
