"""Requests as they are read: what waitress does, but that Chinese in an address is taken as it was typed, what another
server may read otherwise is refused, and so are, before a body is taken, what is too large and who may not send it.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import Error

from service.door import Caller, Door
from service.problems import Problem

_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_FOLDED = re.compile(rb"\r\n[ \t]")
_HOST = re.compile(rb"\r\nhost:", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:([^\r]*)", re.IGNORECASE)


class SentAway(Error):  # type: ignore[misc] # noqa: N818 - what waitress calls an error is an answer
    """Stands with a request that is sent away at the door.

    :param problem: What it is told.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.english)
        self.problem = problem


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Takes Chinese in an address as it was typed, which waitress alone refuses and curl sends; and refuses early what
    can be read in two ways, what is too large, by one limit where files are taken and another elsewhere, and bodies of
    those who may not do what they ask for.

    :param door: Where it is met once its head is there.
    :param address: Of whoever is connected.

    Attributes:
        arrived: When the last of it came, of ``perf_counter``.
        caller: What the door sees, ``None`` for what cannot be read.
        joined: Whether it stands in the line of searches.
        left: Whether the thread that reads is to answer it.
    """

    adj: Any

    def __init__(self, adj: Any, door: Door, address: str) -> None:
        super().__init__(adj)
        self._door, self._address = door, address
        self.begun = self.arrived = perf_counter()
        self.caller: Caller | None = None
        self.joined: Door | None = None
        self.left = False

    def received(self, data: bytes) -> int:
        """Take what came; returns how much of it belongs to this request."""
        taken: int = super().received(data)
        if self.error is not None:
            self.completed = True
        if self.completed:  # there is no body to wait for, or none that is wanted
            self.expect_continue = False
        self.arrived = perf_counter()
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head."""
        line, end, rest = header_plus.partition(b"\r\n")
        super().parse_header(_NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest)
        self._refuse_ambiguity(header_plus)
        path = self.path.encode("latin-1").decode("utf-8", "replace")  # as WSGI has it
        self.caller = self._door.meet(self.command, path, self.query, self.headers, self._address)
        operation = self.caller.operation
        if operation is None or not operation.takes_files(self.headers.get("CONTENT_TYPE", "")):
            self.adj = self.adj.without_files
        if self.body_rcv is not None and (problem := self._door.may_not(self.caller)) is not None:
            self.error = SentAway(problem)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read."""
        return self.body_rcv is None or bool(self.body_rcv.completed)

    def _refuse_ambiguity(self, head: bytes) -> None:
        """Refuse what a proxy before this server may have read otherwise, so that nothing is smuggled past it: RFC
        9112, sections 5.2 (a line that continues another), 3.2 (whom it is for) and 6 (where the body ends)."""
        if _FOLDED.search(head):
            raise ParsingError("A line of the head begins with a space")
        hosts = len(_HOST.findall(head))
        if hosts > 1 or (hosts == 0 and self.version == "1.1"):
            raise ParsingError("There must be one Host")
        codings = _CODING.findall(head)
        # waitress reads chunks only in version 1.1, and there whatever the length says and however often they are said.
        if codings and (not self.chunked or "CONTENT_LENGTH" in self.headers or b"," in b",".join(codings)):
            raise ParsingError("The body's end can be read in two ways")

    def close(self) -> None:
        """Called once a request is done with, however it ended."""
        super().close()
        self.leave_line()

    def leave_line(self) -> None:
        """Give back its place in the line of searches, if it has one."""
        if self.joined is not None:
            self.joined.leave_line()
            self.joined = None
