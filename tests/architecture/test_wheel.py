"""The wheel: built, installed into a fresh environment, run from another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import requests

from tests.serving import ROOT, SECONDS, run, serving

POETRY = shutil.which(
    "poetry", path=os.pathsep.join([f"{sys.prefix}/tools/bin", os.environ.get("PATH", "")])
)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command of a fresh environment with the wheel and the locked libraries."""
    if POETRY is None:
        pytest.skip("the wheel is built by poetry, which `make test` brings")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([POETRY, "build", "--format=wheel", f"--output={folder}"], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.startswith("gistgrep-")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = str(folder / "venv/bin/python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    Path(packages, "libraries.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return folder / "venv/bin/gistapi"


def test_the_command_runs(command: Path, tmp_path: Path) -> None:
    """Its version is the project's, and the package is the wheel's, not the checkout's."""
    done = run(str(command), "--version", environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert done.stdout.startswith("gistapi, version ")
    where = "import gistapi; print(gistapi.__file__)"
    python = str(command.parent / "python")
    done = run(python, "-c", where, environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert str(ROOT / "gistapi") not in done.stdout


def test_the_service_has_all_its_files(command: Path, tmp_path: Path) -> None:
    """It serves the page, the page's assets and the reference."""
    with serving(command=[str(command), "serve"], cwd=tmp_path) as service:
        for path in ("/", "/static/app.js", "/docs", "/openapi.json"):
            assert requests.get(service.url + path, timeout=SECONDS).status_code == 200
