"""Attacks of one stranger, and what everybody else sees meanwhile.

Run: python -m bench.attacks [--seconds 6] [--only NAME ...] [--beside PROGRAM] [--out FILE]. Each
attack meets a service of its own, with the defaults of a plain start: no keys, no limits. Attackers
and bystanders are processes of their own, on the same cores. `--beside` runs another version's
program as well, in turns. Prints tables; exits with 1 if a bound that does not depend on the
machine is missed by this version: it stays alive, all answers follow the contract, the good caller
is always answered, memory stays below AIM_MIB, and everything is given back at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from bench import tables
from bench.attackers import ATTACKS, LARGE, LISTED, MATCHING, NAMES, SLOW, SMALL, Attack
from bench.bystanders import GOOD
from bench.measuring import MIB, Measured, note, percentiles
from bench.world import World, github
from tests.serving import ROOT, SERVE, Serving, serving
from tests.waiting import HANG_SECONDS

AIM_MIB = 400
MAX_THREADS = 130
MAX_CHILDREN = 5
"""The sums of docs/deploy.md; one child more starts the others."""
MORE_DESCRIPTORS = 16
"""How many more than before an attack may be open: files of the cache, pipes to processes."""
LEAD_SECONDS = 1
"""How long an attack has run when others begin to be observed."""
Row = dict[str, Any]
PAGE = """\
# Attacks of one stranger

Each attack meets a service of its own with the defaults of a plain start. It has run for {lead} s
when the bystanders begin, which ask for {seconds:g} s: `/ping`, `/readyz` and a good caller, who
searches a small cached user. Each has an address of its own, and for each request a new connection.
Times are p50 / p99 / max. Attackers, bystanders and the fake GitHub are processes of their own,
which share {cores} cores with the service: what they use, it lacks. Some attacks come from four
addresses, since one has a quarter of the 64 searches. "Refused" are answers other than a complete
success.

"""


def populate(world: World, names: Collection[str]) -> None:
    """Add the users that these attacks and the good caller search."""
    world.generate(GOOD, 5, seed=1)
    for login in dict.fromkeys(login for name in names for login in ATTACKS[name].users):
        USERS[login](world, login)


def _small(world: World, login: str) -> None:
    world.generate(login, 30, seed=2)


def _names(world: World, login: str) -> None:
    """A thousand files."""
    for number in range(20):
        world.add_gist(login, {f"some-{number}-{name}.txt": "tiny" for name in range(50)})


def _slow(world: World, login: str) -> None:
    """Files of a host that is silent."""
    world.add_gist(login, {f"silent-{number}": "x" for number in range(3)})
    world.inject(origin="raw", path="/silent-", latency_seconds=20)


def _listed(world: World, login: str) -> None:
    """300 gists of 299 tiny files; a list shows 300, and git is asked for what may be missing."""
    for number in range(300):
        world.add_gist(login, {f"{name}.txt": f"{login} {number} {name}" for name in range(299)})


def _large(world: World, login: str) -> None:
    """64 files of just under 1 MiB."""
    for number in range(64):
        text = f"abacab data {number} return the next one of them\n"
        world.add_gist(login, {f"{number}": {"block": text, "size": 1_000_000}})


def _matching(world: World, login: str) -> None:
    """Gists of which an answer may show every line."""
    for number in range(11):
        lines = "".join(f"a{number}{line}{'x' * 200}\n" for line in range(1000))
        world.add_gist(login, {f"{number}.txt": lines})


USERS: dict[str, Callable[[World, str], None]] = {
    SMALL: _small,
    NAMES: _names,
    SLOW: _slow,
    LARGE: _large,
    MATCHING: _matching,
    **dict.fromkeys(LISTED, _listed),
}


def measure(
    name: str, world: World, seconds: float, command: Sequence[str] = SERVE, *, strict: bool = True
) -> Row:
    """One attack on a service of its own; without `strict`, nobody waits for what it gives back."""
    attack = ATTACKS[name]
    note(f"attack: {name}")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(
            command=command,
            github_api_url=world.api_url,
            github_content_hosts=world.raw_host,
            cache_url=f"sqlite:///{folder}/cache",
        ) as service,
    ):
        fields: dict[str, Any] = dict(attack.warm or {})
        for login in attack.users if attack.warm is not None else ():
            service.search("nothing", username=login, **fields)
        service.search("nothing", username=GOOD)
        before = _in_use(service, world)
        row = {"attack": name, "what": attack.what, "seconds": seconds}
        row |= _attacked(name, attack, Measured(service, world), seconds)
        row["alive"] = _is_alive(service)
        row["kept"] = _kept(service, world, before) if strict and row["alive"] else {}
    return row


def _attacked(name: str, attack: Attack, measured: Measured, seconds: float) -> Row:
    port, cores = str(measured.service.port), _Cores(measured)
    with measured.watched() as peak, _python("bench.attackers", name, port) as attackers:
        time.sleep(LEAD_SECONDS)
        with _python("bench.bystanders", port, str(seconds), attack.good_pattern) as others:
            seen = json.loads(others.communicate(timeout=HANG_SECONDS)[0])
        service_cpu = measured.cpu_seconds()
        sent = json.loads(attackers.communicate(timeout=HANG_SECONDS)[0])
    found: Row = {
        f"{who}_ms": percentiles(seen[who]["seconds"]) for who in ("ping", "readyz", "good")
    }
    return found | {
        "good": len(seen["good"]["seconds"]),
        "refused": len(seen["good"]["failed"]),
        "wrong": [f"{who}: {why}" for who in ("ping", "readyz") for why in seen[who]["failed"]]
        + seen["good"]["failed"]
        + sent["wrong"],
        "answers": sent["answers"],
        "peak_mib": peak.pss_bytes / MIB,
        "cores": cores.spent(service_cpu, sent["cpu_seconds"] + seen["cpu_seconds"]),
    }


class _Cores:
    """How much of the machine each side used from now on."""

    def __init__(self, measured: Measured) -> None:
        self._service = measured.cpu_seconds()
        self._all = _busy_seconds()
        self._began = time.perf_counter()

    def spent(self, service: float, clients: float) -> dict[str, float]:
        """Cores, on average; those of `others` are the fake GitHub's and other programs'."""
        seconds = time.perf_counter() - self._began
        service -= self._service
        others = max(0.0, _busy_seconds() - self._all - service - clients)
        shares = {"service": service, "clients": clients, "others": others}
        return {who: round(spent / seconds, 2) for who, spent in shares.items()}


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def _python(module: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def _is_alive(service: Serving) -> bool:
    with suppress(requests.RequestException):
        answer = requests.get(f"{service.url}/ping", timeout=HANG_SECONDS)
        return service.process.poll() is None and answer.text == "pong"
    return False


def _in_use(service: Serving, world: World) -> dict[str, int]:
    """The resources of all processes of the service; connections to GitHub are kept a while."""
    github_ports = {int(each.rpartition(":")[2]) for each in (world.api_url, world.raw_host)}
    used = dict.fromkeys(("threads", "descriptors", "clients", "children"), 0)
    for pid in service.look():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            process = psutil.Process(pid)
            open_now = process.net_connections("tcp")
            to_github = sum(bool(c.raddr) and c.raddr.port in github_ports for c in open_now)
            used["threads"] += process.num_threads()
            used["descriptors"] += process.num_fds() - to_github
            used["clients"] += sum(c.laddr.port == service.port and bool(c.raddr) for c in open_now)
            used["children"] += pid != service.process.pid
    return used


def _kept(service: Serving, world: World, before: Mapping[str, int]) -> dict[str, float]:
    """What the service has not given back, even after a time that only a leak reaches."""
    until = time.monotonic() + HANG_SECONDS
    while kept := _too_much(service, world, before):
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    return kept


def _too_much(service: Serving, world: World, before: Mapping[str, int]) -> dict[str, float]:
    used: dict[str, float] = {**_in_use(service, world), "searches": _searches(service)}
    allowed = {
        "threads": MAX_THREADS,
        "descriptors": before["descriptors"] + MORE_DESCRIPTORS,
        "children": MAX_CHILDREN,
    }
    return {name: count for name, count in used.items() if count > allowed.get(name, 0)}


def _searches(service: Serving) -> float:
    text = requests.get(
        f"{service.url}/metrics", headers={"Connection": "close"}, timeout=HANG_SECONDS
    ).text
    return float(text.partition("\ngistapi_searches_in_progress ")[2].split()[0])


def missed(row: Row) -> list[str]:
    """The bounds that an attack broke; none of them depends on the speed of the machine."""
    bounds: dict[str, Callable[[], bool]] = {
        "alive": lambda: row["alive"],
        "as the contract": lambda: not row["wrong"],
        "good caller answered": lambda: not row["refused"],
        f"memory below {AIM_MIB} MiB": lambda: row["peak_mib"] < AIM_MIB,
        "all given back": lambda: not row["kept"],
    }
    return [name for name, is_kept in bounds.items() if not is_kept()]


def _alone(name: str, seconds: float, command: Sequence[str], *, strict: bool = True) -> Row:
    """One attack with a GitHub of its own: another version's requests would keep it busy."""
    with github() as world:
        world.real_network()
        populate(world, [name])
        return measure(name, world, seconds, command, strict=strict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attacks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.attacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--only", nargs="+", choices=list(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--beside", help="another version's program")
    parser.add_argument("--name", default="the other version", help="what the tables call it")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    given = parser.parse_args(arguments)
    ours: list[Row] = []
    theirs: list[Row] = []
    for name in given.only:
        if given.beside:
            theirs.append(_alone(name, given.seconds, (given.beside, "serve"), strict=False))
        ours.append(_alone(name, given.seconds, SERVE))
        note(json.dumps(ours[-1]))
    text = PAGE.format(seconds=given.seconds, lead=LEAD_SECONDS, cores=psutil.cpu_count())
    text += tables.attacks(ours) + "\n"
    if theirs:
        text += f"\n## Before and after\n\nBefore is {given.name}, after is this"
        text += f" version.\n\n{tables.beside(theirs, ours)}\n"
    print(text)
    if given.out:
        given.out.write_text(text, "utf-8")
    failed = [f"{row['attack']}: {', '.join(words)}" for row in ours if (words := missed(row))]
    print("\n".join(f"FAILED {each}" for each in failed) or "every bound is kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
