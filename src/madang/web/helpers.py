"""More processes that answer on the socket of the first, because one Python process uses one core."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Self

import uvicorn

_log = logging.getLogger(__name__)
_PAUSE = 1.0  # seconds before a helper that died is started anew


class Helpers:
    """Processes that run `command` with these `variables` while the block lasts; one that dies is started anew.

    A helper finds the number of the listening socket as its last argument, and ends when its input does: then the
    process that started it is gone, however that happened.
    """

    def __init__(
        self, command: Sequence[str], listening: socket.socket, count: int, variables: Mapping[str, str]
    ) -> None:
        self._environment = os.environ | variables
        self._command = [*command, str(listening.fileno())]
        self._socket = listening.fileno()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._keep, name=f"helper-{n}", daemon=True) for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self) -> None:
        while not self._stop.is_set():
            with subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.PIPE,
                pass_fds=[self._socket],
                start_new_session=True,  # Ctrl-C is for us, who close its input
            ) as helper:
                while helper.poll() is None and not self._stop.wait(0.2):
                    pass
            if not self._stop.wait(_PAUSE):
                _log.warning("a process that answers had ended (%s) and is started anew", helper.returncode)


def inherited() -> socket.socket:
    """In a helper: the socket to answer on."""
    return socket.socket(fileno=int(sys.argv[-1]))


def until_input_ends(server: uvicorn.Server) -> None:
    """In a helper: have the server stop when the process that started us is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        server.should_exit = True

    threading.Thread(target=wait, name="input", daemon=True).start()
