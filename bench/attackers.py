"""The attacks of bench.attacks, each of which one stranger can run without a key.

`python -m bench.attackers NAME PORT` runs one of them until its standard input ends, and prints
the answers and its own processor time as JSON. The end of the process closes all connections.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.bystanders import ask
from bench.record import Record

MATCHING, LARGE, SLOW, NAMES, SMALL = "matching", "large", "slow", "names", "small"
LISTED = ("listed-0", "listed-1")
"""Users of the fake GitHub; bench.attacks says what they have."""
BY_THE_BOOK = {"overloaded", "github_rate_limited"}
WAIT_SECONDS = 120
NO_FILES: dict[str, object] = {"files": ["none"]}
AUTOMATA = (
    "(?:[ab]{1000}y|[ab]{999}z)",
    "(((x{100}){100}){100})",
    "(" * 400 + "a" + ")" * 400,
    "[a-q][^u-z]{300}[^a-e]{300}x",
    r"(\w{1,30} ?){1,30}#",
)
EXPONENTIAL = (
    r"(?<!x)(\w+\s?)+[=:]+$(?<!x)",
    r"(?<!x)(a+)+$",
    r"(a*)*\1b",
    r"(?=(\w+))\1{50}$",
)
BOUND_BYTES = 63 * 1024
"""The size of the largest bodies: the service takes 64 KiB."""
HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@dataclass
class Attacker:
    """One thread of an attack, with an address and the connections that it keeps open."""

    source: str
    port: int
    record: Record
    chance: random.Random
    held: deque[socket.socket] = field(default_factory=deque)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Request a search on a connection of its own."""
        between = (self.source, self.port)
        path = "/api/v1/search"
        status, text = ask(between, "POST", path, body, headers, timeout=WAIT_SECONDS)
        self.record.answer("attacker", status, text)

    def search(self, user: str, pattern: str, **fields: object) -> None:
        """Search a user's gists."""
        self.post(json.dumps({"username": user, "pattern": pattern} | fields).encode())

    def connect(self, sent: bytes) -> socket.socket:
        """Open a connection with a small buffer, and send this over it."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(WAIT_SECONDS)
        connection.bind((self.source, 0))
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(sent)
        self.record.note("attacker connected")
        return connection

    def hold(self, sent: bytes, count: int) -> None:
        """Have one connection more, up to `count`; then replace the oldest if it has ended."""
        if len(self.held) >= count:
            if not _has_ended(self.held[0]):
                self.held.rotate(-1)
                return
            self.held.popleft().close()
        self.held.append(self.connect(sent))


def _has_ended(connection: socket.socket) -> bool:
    """Whether the service has closed it, with or without an answer that fits into the buffer."""
    try:
        connection.settimeout(0)
        return len(connection.recv(2048, socket.MSG_PEEK)) < 1024
    except BlockingIOError:
        return False
    except OSError:
        return True


def whole(body: Mapping[str, object], accept: str = "application/json") -> bytes:
    """The bytes of a request for a search."""
    sent = json.dumps(body).encode()
    return HEAD + f"Accept: {accept}\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent


def globs(attacker: Attacker) -> None:
    """A hundred globs with 64 alternatives each, and the largest ones that are accepted."""
    refused = ["{" + ",".join(f"{n}{a}" for a in range(64)) + "}" for n in range(100)]
    taken = ["**/{a,b}*{c,d}?[!x]*" + "?*" * 20 for _ in range(16)]
    attacker.search(NAMES, "x", files=attacker.chance.choice((refused, taken)))


def automata(attacker: Attacker) -> None:
    """Patterns that need a large automaton; a number makes each a new one."""
    pattern = attacker.chance.choice(AUTOMATA)
    attacker.search(SMALL, f"(?:{pattern}){attacker.chance.randrange(10**6)}")


def exponential(attacker: Attacker) -> None:
    """Patterns for Python's `re` that do not end."""
    attacker.search(SMALL, attacker.chance.choice(EXPONENTIAL))


def duplicate_keys(attacker: Attacker) -> None:
    """One key as often as fits into a body."""
    one = b'"a":1,'
    attacker.post(b"{" + one * (BOUND_BYTES // len(one)) + b'"a":1}')


def unknown(attacker: Attacker) -> None:
    """Unknown fields, unknown users, malformed names and wrong keys, as many as fit."""
    number = attacker.chance.randrange(10**9)
    count = BOUND_BYTES // 20
    body = attacker.chance.choice(
        (
            {f"field{number + n}": 1 for n in range(count)},
            {"pattern": "x", "usernames": [f"-/{number + n}" for n in range(count)]},
            {"pattern": "x", "gists": [f"x{number + n}" for n in range(count)]},
            {"username": SMALL, "pattern": "x", "languages": [f"l{n}" for n in range(count)]},
        )
    )
    attacker.post(json.dumps(body).encode(), {"Authorization": f"Bearer gak_{number:043d}"})


def left(attacker: Attacker) -> None:
    """Plain searches of a host that is silent; the client disconnects at once."""
    attacker.connect(whole({"username": SLOW, "pattern": "x"})).close()


def silent(attacker: Attacker) -> None:
    """Connections over which nothing is sent."""
    attacker.hold(b"", 70)


def half_head(attacker: Attacker) -> None:
    """Incomplete heads."""
    attacker.hold(HEAD + b"X-", 70)


def half_body(attacker: Attacker) -> None:
    """Incomplete bodies."""
    attacker.hold(HEAD + b"Content-Length: 1000\r\n\r\n{", 70)


def slow_reader(attacker: Attacker) -> None:
    """Streams of the largest answers, and the largest file, of which nothing is read."""
    body: dict[str, object] = {"username": MATCHING, "pattern": "^a", "multiline": True}
    stream = whole(body | {"max_count": 1000}, "application/x-ndjson")
    page = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    attacker.hold(attacker.chance.choice((stream, page)), 4)


def invented(attacker: Attacker) -> None:
    """Users that have not been searched before."""
    attacker.search(f"u{attacker.chance.randrange(10**9)}", "x")


def connections(attacker: Attacker) -> None:
    """A new connection for each request, which is malformed, unknown or fine."""
    sent = (b"\x16\x03\x01\r\n\r\n", b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /ping")
    attacker.connect(attacker.chance.choice(sent)).close()


def listings(attacker: Attacker) -> None:
    """Users with 300 gists of some 300 tiny files; one address reads the files too."""
    fields = {} if attacker.source.endswith("1") else NO_FILES
    attacker.search(attacker.chance.choice(LISTED), f"{attacker.chance.random()}", **fields)


def contents(attacker: Attacker) -> None:
    """64 cached files of just under 1 MiB, with patterns that need a large automaton."""
    number = attacker.chance.randrange(10**6)
    attacker.search(LARGE, f"(?:[ab]{{{200 + number % 700}}}y|[ab]{{{number % 99}}}z)")


@dataclass(frozen=True)
class Attack:
    """One attack: `act` is repeated by each thread, with a pause; threads share the addresses.

    `users` are searched by it; unless `warm` is None, once before with these fields, so that they
    are cached.
    """

    what: str
    act: Callable[[Attacker], None]
    threads: int = 16
    addresses: int = 1
    pause_seconds: float = 0.05
    users: tuple[str, ...] = ()
    warm: Mapping[str, object] | None = field(default_factory=dict)
    good_pattern: str = "no file has this line"


def mixed(attacker: Attacker) -> None:
    """Any of the attacks."""
    names = [name for name in ATTACKS if name != "mixed"]
    ATTACKS[attacker.chance.choice(names)].act(attacker)


# Sixty searches from four addresses, and not 64: the good caller's is one of the 64.
ATTACKS: dict[str, Attack] = {
    "nothing": Attack("no attack", lambda _: None, threads=1),
    "globs": Attack("globs with braces", globs, users=(NAMES,)),
    "automata": Attack("patterns with large automata", automata, users=(SMALL,)),
    "exponential": Attack(
        "exponential patterns for `re`; the good caller's pattern needs `re` too",
        exponential,
        users=(SMALL,),
        good_pattern=r"(?<=return )zebra\w|(?<=data )zz\w",
    ),
    "duplicate keys": Attack("bodies of duplicate keys", duplicate_keys),
    "unknown": Attack("bodies of unknown fields and names, wrong keys", unknown),
    "left": Attack("plain searches whose clients leave at once", left, users=(SLOW,), warm=None),
    "silent": Attack("1,120 silent connections", silent),
    "half heads": Attack("1,120 half heads", half_head),
    "half bodies": Attack("1,120 half bodies", half_body),
    "slow readers": Attack("64 answers that nobody reads", slow_reader, users=(MATCHING,)),
    "invented": Attack("searches of invented users", invented),
    "connections": Attack("new connections, 320 a second", connections),
    "listings": Attack("60 searches of large listings", listings, 60, 4, 0.05, LISTED, NO_FILES),
    "contents": Attack("60 searches of 64 MB cached contents", contents, 60, 4, 0.05, (LARGE,)),
    "mixed": Attack(
        "all of these, from three addresses",
        mixed,
        threads=24,
        addresses=3,
        users=(NAMES, SMALL, SLOW, MATCHING, LARGE, *LISTED),
        warm=None,
    ),
}


def run(name: str, port: int, stop: threading.Event) -> Record:
    """Run an attack until it is stopped, without waiting for its last requests."""
    attack, record = ATTACKS[name], Record(BY_THE_BOOK)
    for number in range(attack.threads):
        source = f"127.0.1.{number % attack.addresses + 1}"
        attacker = Attacker(source, port, record, random.Random(f"{name} {number}"))
        threading.Thread(target=_repeat, args=(attack, attacker, stop), daemon=True).start()
    stop.wait()
    return record


def _repeat(attack: Attack, attacker: Attacker, stop: threading.Event) -> None:
    while not stop.wait(attack.pause_seconds * (0.5 + attacker.chance.random())):
        try:
            attack.act(attacker)
        except (OSError, http.client.HTTPException) as error:
            attacker.record.note(f"attacker cut off: {type(error).__name__}")


def main() -> None:
    """Run one attack, and print its report."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    record = run(sys.argv[1], int(sys.argv[2]), stop)
    report = {"answers": dict(record.answers), "wrong": record.wrong[:20]}
    json.dump(report | {"cpu_seconds": time.process_time()}, sys.stdout)


if __name__ == "__main__":
    main()
