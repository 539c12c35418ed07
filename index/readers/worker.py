"""A process of its own for formats whose parsers may crash, hang or eat memory on a hostile file.

``Worker.read`` hands it one document at a time. When it dies or is too slow, that document gets a reason and the next
one a new process. ``main`` is that process: it reads requests from standard input and answers on what was standard
output.
"""

from __future__ import annotations

import atexit
import io
import math
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select
from threading import Lock
from typing import IO

from index.errors import SourceError
from index.readers import pulse
from index.readers.content import Content
from index.readers.doc import read_doc
from index.readers.docx import read_docx
from index.readers.epub import read_epub
from index.readers.html import read_html
from index.readers.mail import read_mail
from index.readers.markdown import read_markdown
from index.readers.pages import Fault, Found
from index.readers.pdf import read_pdf
from index.readers.tables import Columns, read_xlsx
from index.readers.zipped import damaged

MEMORY = 1 << 30  # bytes of address space
MAXIMUM = 256 << 20  # bytes of one document
_CPU = 10  # seconds of computing without a sign of life
_WALL = 60  # seconds of waiting without one, on a machine that is busy with other things
_MOST = 1_000_000  # findings in one document
_MOST_BYTES = 256 << 20  # of all of them: the rows of a small table may repeat one long text
_SIZE = struct.Struct("!Q")
_ROOT = Path(__file__).resolve().parents[2]

_READERS: dict[str, Callable[[Content], Iterator[Found]]] = {
    "html": read_html,
    "mail": read_mail,
    "markdown": read_markdown,
    "pdf": read_pdf,
    "docx": read_docx,
    "doc": read_doc,
    "epub": read_epub,
}
KINDS = frozenset({*_READERS, "xlsx"})


class Worker:
    """The other process, started when it is first needed and ended with this one. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, kind: str, content: Content, columns: Columns) -> list[Found]:
        """Everything in a document of one of ``KINDS``.

        Raises:
            SourceError: It cannot be read, or the process died of it.
        """
        request = pickle.dumps((kind, content.name, content.read(MAXIMUM), columns))
        with self._lock:
            process = self._running()
            try:
                return self._answers(process, request, content.name)
            except _StoppedError as error:
                self.close()
                raise SourceError(
                    f"{content.name} cannot be read: the {kind} reader {error.english}; the file is probably damaged.",
                    f"无法读取 {content.name}：{kind} 解析{error.chinese}；文件可能已损坏。",
                ) from error
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from index.readers.worker import main; main()"],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
            atexit.register(self.close)
        return self._process

    def _answers(self, process: subprocess.Popen[bytes], request: bytes, name: str) -> list[Found]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(_SIZE.pack(len(request)))
            view = memoryview(request)
            while view:
                view = view[process.stdin.write(view) or 0 :]
        except BrokenPipeError as error:
            raise _StoppedError(process) from error
        found: list[Found] = []
        taken = 0
        while True:
            message = self._message(process, process.stdout)
            taken += len(message)
            if taken > _MOST_BYTES:
                limit = f"{_MOST_BYTES >> 20} MiB"
                raise SourceError(
                    f"{name} holds more than {limit} of text; split it.", f"{name} 的文字超过 {limit}；请拆分。"
                )
            answer = pickle.loads(message)  # noqa: S301 - from our own process
            if answer is None:
                return found
            if isinstance(answer, tuple):
                raise SourceError(*answer)
            if answer != "beat":
                found.append(answer)

    @staticmethod
    def _message(process: subprocess.Popen[bytes], stream: IO[bytes]) -> bytes:
        deadline = time.monotonic() + _WALL
        size, raw = _SIZE.size, bytearray()
        head = True
        while len(raw) < size:
            if not select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise _StoppedError(None)
            part = os.read(stream.fileno(), min(size - len(raw), 1 << 20))
            if not part:
                raise _StoppedError(process)
            raw += part
            if head and len(raw) == size:
                (size,), raw, head = _SIZE.unpack(raw), bytearray(), False
        return bytes(raw)


class _StoppedError(Exception):
    """The process is gone, or silent when it is ``None``."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        code = -signal.SIGXCPU if process is None else process.wait(timeout=10)
        slow = code == -signal.SIGXCPU
        self.english = f"made no progress for {_CPU} seconds" if slow else "crashed"
        self.chinese = f"在 {_CPU} 秒内没有进展" if slow else "崩溃"
        super().__init__(self.english)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Read documents until nobody asks any more."""

    def send(answer: object) -> None:
        _allow()
        raw = pickle.dumps(answer)
        answers.write(_SIZE.pack(len(raw)) + raw)
        answers.flush()

    pulse.listen(lambda: send("beat"))
    while head := requests.read(_SIZE.size):
        kind, name, raw, columns = pickle.loads(requests.read(_SIZE.unpack(head)[0]))  # noqa: S301 - from our parent
        _allow()
        content = Content.of_bytes(name, raw)
        try:
            found = read_xlsx(content, columns) if kind == "xlsx" else _READERS[kind](content)
            for number, one in enumerate(found):
                if number >= _MOST:
                    raise SourceError(
                        f"{name} holds more than {_MOST} records; split it.", f"{name} 超过 {_MOST} 条记录；请拆分。"
                    )
                send((one.reason.english, one.reason.chinese) if isinstance(one, Fault) else one)
            send(None)
        except SourceError as error:
            send((error.english, error.chinese))
        except MemoryError:
            send((f"{name} needs more than 1 GiB to read; split it.", f"读取 {name} 需要超过 1 GiB 内存；请拆分。"))
        except Exception as error:  # a parser's own failure on a damaged file, of which there is no list
            reason = damaged(name, error)
            send((reason.english, reason.chinese))


def _allow() -> None:
    """Give the process its seconds of computing anew."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime) + _CPU, hard))


def main() -> None:
    """Serve the parent process under limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told by the same key, and ends us
    with os.fdopen(os.dup(1), "wb") as answers:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)  # whatever a parser prints must not mix with the answers
        os.dup2(null, 2)
        _serve(io.BufferedReader(io.FileIO(0, closefd=False)), answers)
