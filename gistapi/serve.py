"""The service as a process: granian in front, one worker, an end in good order."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from gistapi.app import THREADS, Service, create_app, service_of
from gistapi.errors import GistapiError
from gistapi.logs import configuration
from gistapi.settings import Settings

# A head that takes longer to arrive is given up; so is a connection that stays idle so long.
HEAD_TIMEOUT_MS = 10_000
# On SIGTERM: running searches get this long before they answer `partial` …
GRACE_SECONDS = 8.0
# … and the worker process this long before it is killed.
KILL_AFTER_SECONDS = 10


class AddressError(GistapiError):
    """The service can't listen at its address."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; running searches then end, or answer partial, within 10 s.

    Raises:
        AddressError: the address can't be listened at; the message says why.
    """
    address = _free_address(settings.host, settings.port)
    server = MPServer(
        "gistapi",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT_MS),
        websockets=False,
        workers=1,
        blocking_threads=THREADS,
        workers_kill_timeout=KILL_AFTER_SECONDS,
        log_level=LogLevels(settings.log_level),
        log_dictconfig=configuration(settings),
    )
    worker = _Worker(settings)
    server.serve(spawn_target=worker.run, target_loader=worker.load, wrap_loader=False)


def _free_address(host: str, port: int) -> str:
    """The IP address to listen at. granian shares its port, so who has it already is asked here."""
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        raise AddressError(f"can't listen at {host} port {port}: {error.strerror}") from error
    return str(where[0])


class _Worker:
    """What runs in granian's worker process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._service: Service | None = None

    def load(self) -> Flask:
        """Build the app; granian calls this before it sets its signal handlers."""
        app = create_app(self._settings)
        self._service = service_of(app)
        _call_at_end(partial(self._service.shut_down, GRACE_SECONDS))
        return app

    def run(self, *args: object) -> None:
        """Serve, and let go of everything when the last answer is sent."""
        try:
            MPServer._spawn_wsgi_worker(*args)  # noqa: SLF001 - granian's own default target
        finally:
            if self._service is not None:
                self._service.close()


def _call_at_end(stop: Callable[[], None]) -> None:
    """Call `stop` in a thread once this process is asked to end, or has lost its parent.

    granian sets its own handlers after this, so ours could not stay; but whoever handles a
    signal, Python writes its number to the wakeup descriptor first.
    """
    wakeup, pythons_end = os.pipe()
    os.set_blocking(pythons_end, False)
    signal.set_wakeup_fd(pythons_end, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(wakeup, stop), daemon=True).start()


def _watch(wakeup: int, stop: Callable[[], None]) -> None:
    parent = parent_process()
    lifeline = [] if parent is None else [parent.sentinel]
    asked = False
    while not asked:
        if wakeup in wait([wakeup, *lifeline]):
            asked = not {signal.SIGTERM, signal.SIGINT}.isdisjoint(os.read(wakeup, 64))
        else:
            os.kill(os.getpid(), signal.SIGTERM)  # granian would serve on alone
            lifeline = []
    stop()
