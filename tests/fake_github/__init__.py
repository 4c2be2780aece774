"""A fake GitHub: a real HTTP server with an API and a raw origin on loopback, and switches.

with FakeGithub() as github:
    github.add_user("octocat").add_gist({"hello.py": "import requests"})
    requests.get(f"{github.api_url}/users/octocat/gists", timeout=5)
"""

from tests.fake_github.content import Content, Literal, Repeated
from tests.fake_github.fake import FakeGithub
from tests.fake_github.faults import Fault
from tests.fake_github.message import Request, Response
from tests.fake_github.model import Gist, User, without
from tests.fake_github.traffic import Pace

__all__ = [
    "Content",
    "FakeGithub",
    "Fault",
    "Gist",
    "Literal",
    "Pace",
    "Repeated",
    "Request",
    "Response",
    "User",
    "without",
]
