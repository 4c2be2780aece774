"""A few users with handwritten gists, which the examples of the documentation search."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.fake_github.model import World

_FETCH = '''\
"""Print the status of a few sites."""

import requests

SITES = ["https://example.com", "https://example.org"]

for site in SITES:
    response = requests.get(site, timeout=5)
    print(site, response.status_code)
'''

_HELLO = """\
class HelloWorld
  def initialize(name)
    @name = name.capitalize
  end

  def sayHi
    puts "Hello #{@name}!"
  end
end

HelloWorld.new("world").sayHi
"""

_DEPLOY = """\
#!/bin/sh
# Build the site and copy it to the server.
set -eu

make html
rsync --archive --delete build/ "$HOST:/srv/www/"
echo "deployed to $HOST"
"""

_NOTES = """\
# Tea

- Sencha 煎茶: 70 °C, one minute
- Darjeeling: 90 °C, three minutes
- Naïve café blend ☕: whatever, but with milk

TODO: buy a new kettle 🫖
"""

_PARSER = '''\
"""Read a feed and print its titles."""

from xml.etree import ElementTree

import requests


def titles(url: str) -> list[str]:
    root = ElementTree.fromstring(requests.get(url, timeout=10).content)
    return [item.findtext("title", "") for item in root.iter("item")]
'''

_PARSER_TEST = """\
from feed import titles


def test_titles(feed_url):
    assert titles(feed_url) == ["First", "Second"]
"""

_PARSER_README = """\
# Feed titles

    pip install requests
    python feed.py

TODO: Atom feeds
"""

_BISECT = """\
#!/usr/bin/env bash
# Find the first bad commit with git bisect.
git bisect start HEAD "$1"
git bisect run make test
git bisect reset
"""

_CONFIG = """\
[alias]
    lg = log --oneline --graph
    st = status --short
[pull]
    rebase = true
"""

_TOKENS = """\
// Count the words of a text.
const count = (text) => text.split(/\\s+/).filter(Boolean).length;

// TODO: words with hyphens
console.log(count("the quick brown fox"));
"""


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 9, 30, tzinfo=UTC)


def populate(world: World) -> None:
    """Add octocat (5 gists), mona (3) and hubot (none).

    `import requests` matches two of octocat's: the feed and, older, the sites' status.
    """
    octocat = world.add_user("octocat")
    add = octocat.add_gist
    add(
        {"hello_world.rb": _HELLO},
        gist_id="1169852",
        description="Hello World in Ruby",
        created_at=_day(2011, 8, 25),
    )
    add(
        {"status.py": _FETCH},
        gist_id="6cad326836d38bd3a7ae",
        description="Are the sites up?",
        created_at=_day(2014, 10, 1),
    )
    add(
        {"deploy.sh": _DEPLOY},
        gist_id="8a1f0d6b3c7e49258f60a4d2b9c3e715",
        description="",
        created_at=_day(2019, 3, 14),
    )
    add(
        {"tea.md": _NOTES},
        gist_id="b07c5a1e9d324f68a1c2e3d4f5061728",
        description="How to make tea 🍵",
        created_at=_day(2021, 6, 2),
        updated_at=_day(2024, 2, 11),
    )
    add(
        {"feed.py": _PARSER, "test_feed.py": _PARSER_TEST, "README.md": _PARSER_README},
        gist_id="d2f6a9f0c8b14e5c9a3b7e81f4560c2d",
        description="Titles of a feed",
        created_at=_day(2023, 11, 20),
    )
    add = world.add_user("mona").add_gist
    add(
        {"bisect.sh": _BISECT},
        gist_id="3f1d8b2c6a904e7db5c8f0a1e2d3c4b5",
        created_at=_day(2018, 5, 7),
    )
    add(
        {".gitconfig": _CONFIG},
        gist_id="9c4e7a10f2b84d36a5e1c0d9b8f7a6e5",
        created_at=_day(2020, 1, 9),
    )
    add(
        {"count words.js": _TOKENS},
        gist_id="e5d4c3b2a1f04e9d8c7b6a5f4e3d2c1b",
        created_at=_day(2022, 9, 30),
    )
    world.add_user("hubot")
