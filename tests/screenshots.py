"""Take the pictures in docs/screenshots: `make screenshots`.

They show the service at its usual port with the demo's GitHub, the page in Chromium, and the
programs' own output, rendered as a terminal.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, expect
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.browser import chromium, visit
from tests.fake_github import FakeGithub, Fault, answers
from tests.fake_github.demo import populate
from tests.serving import ROOT, Serving, environment, serving

PICTURES = ROOT / "docs/screenshots"
PORT = 9876
COLUMNS = 104
THEME = TerminalTheme(
    (23, 27, 34),
    (230, 233, 238),
    [
        (0, 0, 0),
        (255, 123, 114),
        (126, 231, 135),
        (240, 193, 104),
        (141, 166, 255),
        (210, 168, 255),
        (118, 215, 230),
        (230, 233, 238),
    ],
)
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 28px; background: #eceff3; width: max-content }}
pre {{ margin: 0; padding: 20px 24px; border-radius: 12px; background: {background};
  color: {foreground}; font: 14px/1.5 "DejaVu Sans Mono", monospace;
  box-shadow: 0 12px 32px rgb(0 0 0 / 25%) }}
{stylesheet}
</style><pre>{code}</pre>"""


def main() -> None:
    """Write every picture."""
    PICTURES.mkdir(exist_ok=True)
    with FakeGithub() as github, serving(github, port=PORT, cache_url="off") as service:
        populate(github.world)
        with chromium() as browser:
            take_page(browser, service, github)
            take_terminal(browser, "command.png", command(github))
            take_terminal(browser, "stream.png", stream(service))


def take_page(browser: Browser, service: Serving, github: FakeGithub) -> None:
    """The page: searching in the light theme, with all options in the dark one, and on a phone."""
    query = urlencode({"username": "octocat", "pattern": r"TODO|import (\w+)$", "multiline": 1})
    done = f"{service.url}/?{query}"

    slow = github.faults.inject(Fault(latency_seconds=20), path="status.py")
    with visit(browser, done, height=720) as visited:
        expect(visited.page.locator("#counts")).to_contain_text("4 of 5 gists")
        expect(visited.page.locator(".match")).to_have_count(2)
        visited.page.screenshot(path=PICTURES / "page-light.png")
    github.faults.remove(slow)

    octocat = github.world.user("octocat")
    assert octocat
    lost = next(gist for gist in octocat.gists if "deploy.sh" in gist.files)
    failing = github.faults.inject(Fault(answer=answers.server_error(500)), path=lost.id)
    with visit(browser, done, theme="dark", height=720) as visited:
        expect(visited.page.locator("#missing")).to_be_visible()
        visited.page.get_by_text("Repeat this search").click()
        visited.page.evaluate("scrollTo(0, 0)")
        visited.page.mouse.move(0, 0)  # no element may look hovered
        visited.page.screenshot(path=PICTURES / "page-dark.png", full_page=True)
    github.faults.remove(failing)

    with visit(browser, done, width=390, height=844, scale=2) as visited:
        expect(visited.page.get_by_role("status")).to_contain_text("Done")
        visited.page.screenshot(path=PICTURES / "page-phone.png")

    faulty = urlencode({"username": "octocat", "pattern": "import (requests"})
    with visit(browser, f"{service.url}/?{faulty}", height=420) as visited:
        expect(visited.page.get_by_role("alert")).to_be_visible()
        visited.page.screenshot(path=PICTURES / "page-fault.png")


def command(github: FakeGithub) -> str:
    """The command's output, as on a terminal without progress."""
    words = ["gistapi", "search", "--color=always", "octocat", r"TODO|import (\w+)$"]
    environ = environment(github) | {
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(words, env=environ, check=True, capture_output=True, text=True)
    return f"$ gistapi search octocat 'TODO|import (\\w+)$'\n{done.stdout.rstrip()}\n$ "


def stream(service: Serving) -> str:
    """What curl shows of a stream."""
    body = '{"username": "octocat", "pattern": "import requests"}'
    asked = f"""curl -sN {service.url}/api/v1/search -H 'Content-Type: application/json' \\
    -H 'Accept: application/x-ndjson' -d '{body}'"""
    done = subprocess.run(["sh", "-c", asked], check=True, capture_output=True, text=True)
    return f"$ {asked}\n{done.stdout}$ "


def take_terminal(browser: Browser, name: str, output: str) -> None:
    """A picture of a terminal with this output."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(Text.from_ansi(output), soft_wrap=False, overflow="fold", highlight=False)
    page = browser.new_page(device_scale_factor=2)
    page.set_content(console.export_html(theme=THEME, code_format=TERMINAL, inline_styles=True))
    page.locator("body").screenshot(path=PICTURES / name)
    page.close()


if __name__ == "__main__":
    main()
