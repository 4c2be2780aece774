"""The service as a process: granian in front, one worker, an end in good order."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from gistapi.app import THREADS, Service, check, create_app, service_of
from gistapi.errors import GistapiError
from gistapi.settings import Settings
from gistapi.web.operations.access_log import configuration

# A head that takes longer to arrive is given up; so is a connection that stays idle so long.
HEAD_TIMEOUT_MS = 10_000
# A head is at most so large; what is larger is answered 431, and so are more than 100 fields.
MAX_HEAD_BYTES = 64 * 1024
MAX_CONNECTIONS = 1024
# Who takes nothing of his answer for so long has no connection any more.
STALL_MS = 20_000
# On SIGTERM: running searches get this long before they answer `partial` …
GRACE_SECONDS = 7.0
# … then what is left of answers gets this long, and who still has not sent his request is cut off.
LINGER_SECONDS = 2.0
# Should even that fail, the worker process is killed.
KILL_AFTER_SECONDS = 15
M_MMAP_THRESHOLD = -3
LARGE_BUFFER_BYTES = 2**20
ENDING = {signal.SIGTERM, signal.SIGINT}

_log = logging.getLogger(__name__)


class AddressError(GistapiError):
    """The service can't listen at its address."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; running searches then end, or answer partial, within 10 s.

    Raises:
        AddressError: the address can't be listened at; the message says why.
        KeyFileError: the keys cannot be read, or their file is gone.
        SettingsError: the cache's path names a file that gistapi did not create.
    """
    check(settings)
    address = _free_address(settings.host, settings.port)
    server = MPServer(
        "gistapi",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEAD_TIMEOUT_MS, max_buffer_size=MAX_HEAD_BYTES
        ),
        backpressure=MAX_CONNECTIONS,
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

    def run(self, *args: object) -> None:
        """Serve, and let go of everything when the last answer is sent."""
        # A second signal would block granian's handler with the interpreter lock held, and Ctrl-C
        # sends two. So every thread to come blocks them, and one thread waits for the first.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        _give_memory_back()
        try:
            MPServer._spawn_wsgi_worker(*args)  # noqa: SLF001 - granian's own default target
        finally:
            if self._service is not None:
                self._service.close()

    def load(self) -> Flask:
        """Build the app; granian calls this before it sets its signal handlers."""
        app = create_app(self._settings)
        self._service = service_of(app)
        for target in (_end_with_parent, self._end, self._warm, self._bound_stalls):
            threading.Thread(target=target, daemon=True).start()
        return app

    def _warm(self) -> None:
        """Build what searches need, and have the garbage collector pass over it from now on."""
        if self._service is not None:
            self._service.warm()
        # Else each full collection walks over half a million objects that never go: 0.1 s in which
        # nobody is served.
        gc.collect()
        gc.freeze()

    def _bound_stalls(self) -> None:
        """Have the kernel give up a connection that takes nothing for a while.

        granian listens soon, in its own code; what is accepted has the listener's option. Source:
        tcp(7), TCP_USER_TIMEOUT, which Linux alone has.
        """
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        for _ in range(1000):
            if option is None or _set_on_listeners(self._settings.port, option, STALL_MS):
                return
            time.sleep(0.01)
        _log.warning("A connection that takes nothing is not given up.")

    def _end(self) -> None:
        """Wait for a signal; then let granian stop listening, and the searches come to an end."""
        inherited = signal.getsignal(signal.SIGTERM)
        number = signal.sigwait(ENDING)
        while (handler := signal.getsignal(number)) is inherited:
            time.sleep(0.01)  # granian has not come to it yet
        if callable(handler) and self._service is not None:
            handler(number, None)
            self._service.shut_down(GRACE_SECONDS)
            # granian would wait for a client that sends its head or its body slowly, or not at all.
            # It mostly ends before, and this thread with it.
            time.sleep(LINGER_SECONDS)
            _log.info("Connections on which no whole request came are cut off.")
            self._service.close()
            logging.shutdown()
            os._exit(0)


def _give_memory_back() -> None:
    """Have glibc return a large buffer when it is freed: its guess is to keep up to 32 MiB each.

    Source: mallopt(3), M_MMAP_THRESHOLD. Other C libraries know no such call.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES)


def _set_on_listeners(port: int, option: int, value: int) -> bool:
    """Set a TCP option on this process's sockets that listen at `port`; whether there is one."""
    found = False
    for path in Path("/proc/self/fd").iterdir():
        if not path.is_socket():
            continue
        with suppress(OSError), socket.socket(fileno=os.dup(int(path.name))) as opened:
            listens = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and opened.getsockname()[1] == port:
                opened.setsockopt(socket.IPPROTO_TCP, option, value)
                found = True
    return found


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # granian would serve on alone
