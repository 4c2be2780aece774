"""A real proxy on loopback, and an HTTPS origin with a certificate of its own authority."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import trustme

Talk = Callable[[socket.socket], object]
BODY = b"over TLS"


@contextmanager
def serving(talk: Talk, scheme: str = "http") -> Iterator[str]:
    """Serve each connection with `talk` in a thread of its own; yields the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):  # the listener is closed at the end
                while True:
                    connected, _ = listener.accept()
                    threading.Thread(target=_talk, args=(talk, connected), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _talk(talk: Talk, connected: socket.socket) -> None:
    with connected, suppress(OSError):
        talk(connected)


def head_of(connected: socket.socket) -> bytes:
    """Read the head of the next request; b"" if there is none."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connected.recv(1)):
        head += byte
    return head


def https_origin(authority: trustme.CA, requests: list[bytes]) -> AbstractContextManager[str]:
    """Answer one request on each HTTPS connection with BODY, and record its head."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def talk(connected: socket.socket) -> None:
        with context.wrap_socket(connected, server_side=True) as secure:
            requests.append(head_of(secure))
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
            while secure.recv(65536):  # a second request is never answered
                pass

    return serving(talk, "https")


def proxy(requests: list[bytes]) -> AbstractContextManager[str]:
    """A proxy that tunnels, or forwards one request per connection."""

    def talk(connected: socket.socket) -> None:
        head = head_of(connected)
        requests.append(head)
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            forwarded = b""
        else:
            origin, _, path = target.removeprefix(b"http://").partition(b"/")
            host, _, port = origin.decode().rpartition(":")
            forwarded = head.replace(target, b"/" + path, 1)
        with socket.create_connection((host, int(port)), timeout=10) as upstream:
            if forwarded:
                upstream.sendall(forwarded)
            else:
                connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(upstream, connected), daemon=True)
            back.start()
            _pump(connected, upstream)
            back.join()

    return serving(talk)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
