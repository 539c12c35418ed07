"""Another process of this program, which answers one request after the other through a pipe.

A process of ``multiprocessing`` would import the script that was started, which may be anybody's; one that is forked
has the locks of threads that are not there. This one runs a function of ours, and ends when its pipe is closed, as
happens however the process ends that started it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

_ROOT = Path(__file__).resolve().parents[1]
_ENDING = 5.0  # seconds between closing its end of the pipe and being gone


class GoneError(Exception):
    """The other process has ended or does not answer."""


class Companion(Generic[Asked, Answered]):
    """One of them; ready when it is made. One thread may ask at a time.

    Args:
        module: Where its function ``main`` is, which calls ``attend``.
        argument: What ``main`` finds in ``sys.argv[2]``.
        seconds: How long it may take until it is ready.

    Raises:
        OSError: The system allows no further process.
        GoneError: It ended, or was not ready in time.
    """

    def __init__(self, module: str, argument: str, *, seconds: float) -> None:
        self._pipe: Connection[Any, Any]
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-c", f"from {module} import main; main()", str(theirs.fileno()), argument]
            # Ctrl-C is for who started it, which closes the pipe when it ends.
            self._process = subprocess.Popen(  # noqa: S603
                command, cwd=_ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        try:
            self._answer(seconds)
        except GoneError:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def ask(self, request: Asked, *, seconds: float) -> Answered:
        """Its answer.

        Raises:
            GoneError: It has ended, or did not answer in time; close it.
        """
        try:
            self._pipe.send(request)
        except OSError as error:
            raise GoneError(self._end()) from error
        answer: Answered = self._answer(seconds)
        return answer

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _answer(self, seconds: float) -> Any:
        try:
            if not self._pipe.poll(seconds):
                raise GoneError(f"no answer for {seconds:.0f} s")
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise GoneError(self._end()) from error

    def _end(self) -> str:
        try:
            status = self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"status {status}"


def attend(begin: Callable[[str], Callable[[Asked], Answered]]) -> None:
    """Be the other process, for as long as the one that started it lives.

    Args:
        begin: Called with the argument; gives what answers, once it is ready to.
    """
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    answer = begin(sys.argv[2])
    with suppress(EOFError, OSError):  # the other process is gone
        pipe.send(None)
        while True:
            pipe.send(answer(pipe.recv()))
