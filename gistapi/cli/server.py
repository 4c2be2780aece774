"""The service as a process: an event loop for connections, threads for requests."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import logging.config
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress

from gistapi.app import THREADS, Service, check, create_app, service_of
from gistapi.cli.greeting import greeting
from gistapi.errors import GistapiError
from gistapi.settings import Settings
from gistapi.web.operations.access_log import configuration
from gistapi.web.protection import exposure
from gistapi.web.server import BACKLOG, Bounds, HttpServer

MAX_CONNECTIONS = 1024
OTHER_DESCRIPTORS = 320
"""Descriptors for everything but clients' connections: docs/deploy.md adds them up."""
MIN_CONNECTIONS = 64
# On a signal, running searches get this long before they answer `partial` …
GRACE_SECONDS = 7.0
# … then answers get this long to be sent, and what is still open is reset …
LINGER_SECONDS = 2.0
# … and the process ends, even if a thread still waits for something.
EXIT_SECONDS = 2.0
SWITCH_SECONDS = 0.0002
"""A request passes through three threads, each of which waits this long for a searching one.

Each wait is after a system call: docs/decisions/speed.md has the figures.
"""
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h
LARGE_BUFFER_BYTES = 2**20
ARENAS = 2
"""glibc makes eight a core, each of which keeps what its threads once needed."""

_log = logging.getLogger(__name__)


class AddressError(GistapiError):
    """The service cannot listen at its address."""


class DescriptorsError(GistapiError):
    """The process may open too few files to serve."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; running searches then end or answer partial within 10 s.

    Raises:
        AddressError: the service cannot listen at the address; the message says why.
        DescriptorsError: the limit of open files is too low.
        KeyFileError: the keys cannot be read, or their file was deleted.
        SettingsError: the cache's path names a file that gistapi did not create, or the proxy or
            the certificates of the environment cannot be used.
    """
    logging.config.dictConfig(configuration(settings))
    keys_exist = check(settings)
    bounds = _bounds(settings)
    listener = _listen(settings.host, settings.port)
    _bound_malloc()
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app(settings)
    service = service_of(app)
    server = HttpServer(app, threads=THREADS, bounds=bounds)
    for sentence in exposure.warnings(settings, keys_exist=keys_exist):
        _log.warning(sentence)
    asyncio.run(_serve(server, service, listener, settings))
    logging.shutdown()


async def _serve(
    server: HttpServer, service: Service, listener: socket.socket, settings: Settings
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _hang_up, stop)
    await server.start(listener)
    if settings.log_format == "text":
        sys.stderr.write(greeting(settings))
    else:
        _log.info("Listening on http://%s:%d", settings.host, settings.port)
    threading.Thread(target=_warm, args=(service,), daemon=True).start()
    await stop.wait()
    server.stop_accepting()
    await asyncio.to_thread(service.searcher.shut_down, GRACE_SECONDS)
    await server.close(LINGER_SECONDS)
    threading.Thread(target=_exit_soon, daemon=True).start()
    await asyncio.to_thread(service.close)


def _hang_up(stop: asyncio.Event) -> None:
    """End with the terminal that started the service; without a terminal, continue."""
    if sys.stderr.isatty():
        stop.set()
    else:
        _log.info("SIGHUP is ignored: keys are read again when they change, settings at the start.")


def _exit_soon() -> None:
    """End the process even if a thread still waits for a host that does not answer."""
    threading.Event().wait(EXIT_SECONDS)
    logging.shutdown()
    os._exit(0)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=family == socket.AF_INET6 and address[0] == "::",
        )
    except OSError as error:
        words = f"can't listen at {host} port {port}: {os.strerror(error.errno or 0)}"
        if isinstance(error, socket.gaierror):
            words = f"can't listen at {host} port {port}: {error.strerror}"
        raise AddressError(words) from error


def _bounds(settings: Settings) -> Bounds:
    """How many connections are allowed, as far as the limit of open files permits.

    Behind trusted proxies all connections are theirs, so one network may have all of them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    connections = min(MAX_CONNECTIONS, soft - OTHER_DESCRIPTORS)
    if connections < MIN_CONNECTIONS:
        raise DescriptorsError(
            f"the process may open {soft} files and needs {MIN_CONNECTIONS + OTHER_DESCRIPTORS};"
            " raise the limit (`ulimit -n`)"
        )
    of_one = None if settings.trusted_proxies else connections // 4
    return Bounds(connections, of_one)


def _warm(service: Service) -> None:
    """Build what searches need, and exclude it from garbage collection."""
    service.warm()
    # Each full collection would traverse half a million lasting objects: a pause of 0.1 s.
    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # what only the start needed


def _bound_malloc() -> None:
    """Have glibc return large buffers when they are freed, and share its arenas among threads.

    It would keep up to 32 MiB of each buffer. Source: mallopt(3). Other C libraries have no such
    call.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES)
        libc.mallopt(M_ARENA_MAX, ARENAS)
