"""The threads that work on requests, and the lines in which requests wait for them.

Which line a request belongs into is known at the door (``door.py``); here are the threads at the end of each.
"""

from __future__ import annotations

from time import monotonic, sleep

from waitress.task import ThreadedTaskDispatcher

from service.connections import Channel
from service.door import LINES, Door, no_room
from service.operation import Line
from service.parser import Parser, SentAway
from service.settings import Settings

# Requests of each line but that of searches that may wait for a thread.
MOST_WAITING = 64
# Requests that wait when the service ends are answered, if that takes no longer than this.
_ENDING_SECONDS = 5.0


class Lines:
    """The threads of each line; what waitress calls a task dispatcher.

    :param settings: How many threads there are.
    """

    def __init__(self, settings: Settings, door: Door) -> None:
        self._door = door
        self._lines: dict[Line, ThreadedTaskDispatcher] = {name: ThreadedTaskDispatcher() for name in LINES}
        self._lines["search"].set_thread_count(settings.searches)
        self._lines["watch"].set_thread_count(1)
        self._lines["rest"].set_thread_count(settings.threads - settings.searches - 1)

    def add_task(self, channel: Channel) -> None:
        """Let a connection's next request in, or send it away. Called with ``requests_lock`` held."""
        request = channel.requests[0]
        line: Line = "rest" if request.error is not None else self._line_for(request)
        if request.error is not None and channel.reading:
            # It takes less to answer than to hand to a thread that waits for the others to let it run.
            request.left = True
        else:
            self._lines[line].add_task(channel)

    def sends_away(self, request: Parser) -> bool:
        """Whether a request whose body is yet to come is sent away at the door already. Who is not is met there again
        when it is whole: it may be long in coming, and takes no place from others until then."""
        self._line_for(request)
        request.leave_line()
        return request.error is not None

    def _line_for(self, request: Parser) -> Line:
        caller = request.caller
        assert caller is not None  # it could be read
        line = self._door.line_of(caller)
        if line == "search":
            problem = self._door.asks_too_often(caller) or (None if self._door.stand_in_line() else no_room())
            if problem is None:
                request.joined = self._door
                return line
            # A page tells people in its own words, which takes the application; programs need no more than a status.
            line = "rest"
            if caller.operation is None or not caller.operation.is_page:
                request.error = SentAway(problem)
        if len(self._lines[line].queue) >= MOST_WAITING:
            request.error = SentAway(no_room())
        return line

    def shutdown(self) -> None:
        """Answer what is being answered and what waits, then let the threads go."""
        ends = monotonic() + _ENDING_SECONDS
        while any(line.queue for line in self._lines.values()) and monotonic() < ends:
            sleep(0.02)
        for line in self._lines.values():
            line.shutdown()
