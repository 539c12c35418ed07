"""The thread that works on jobs, one after the other, letting other writers in between."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter

from filelock import Timeout

from index.corpus import Corpus
from index.errors import BusyError, EngineError, StorageError
from index.ingest import Entry
from index.outcomes import Outcome
from index.walk import FileDone
from service.answers import ProblemOut
from service.gate import Gate
from service.problems import as_problem, problem_fields
from service.spool import Job, Spool, State
from service.writing import Writing

# How long other writers should have to wait for a job: a part of it takes about so long, and is published.
_PART_SECONDS = 4.0
_FIRST_PART = 64  # documents
_LARGEST_PART = 20_000
_RETRY_SECONDS = 0.5
_AWAY_SECONDS = 300.0  # how long an engine that is away, as a Milvus that is being restarted, is waited for
_YIELD_SECONDS = 0.02
logger = logging.getLogger("xunzhang.service")


@dataclass(slots=True)
class Progress:
    """How far the job at work is.

    Attributes:
        id: Of the job.
        stage: ``read``, ``encode`` or ``publish``.
        documents: Stored so far.
        files_done: Files that lie behind.
    """

    id: str
    stage: str = "read"
    documents: int = 0
    files_done: int = 0


class Worker:
    """Works on the jobs of a spool while there are any.

    :param writes: How many may write at once; a job stands in line with everybody else, part by part.
    """

    def __init__(self, corpus: Corpus, spool: Spool, writes: Gate) -> None:
        self._corpus = corpus
        self._spool = spool
        self._writes = writes
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._end = threading.Event()
        self.progress: Progress | None = None

    def wake(self) -> None:
        """See that the jobs there are, those of an earlier process among them, are worked on."""
        try:
            with self._changing:
                if self._thread is None and not self._end.is_set() and self._next() is not None:
                    self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                    self._thread.start()
        except StorageError as error:  # searches need no jobs
            logger.error("jobs wait until another is sent, or the service starts again: %s", error)

    def end(self) -> None:
        """Stop after the part at hand; a job that is not done goes on at the next start."""
        self._end.set()

    def close(self) -> None:
        """Stop, and return when that is done."""
        self.end()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _next(self) -> Job | None:
        return next((job for job in self._spool.jobs() if not job.ended), None)

    def _run(self) -> None:
        try:
            self._work_on_all()
        except Exception:  # such as a full disk, on which not even a failure can be noted
            logger.exception("jobs wait until another is sent, or the service starts again")
            with self._changing:
                self._thread = None

    def _work_on_all(self) -> None:
        lock = self._spool.worker_lock()
        while not self._end.is_set():
            try:
                lock.acquire(timeout=_RETRY_SECONDS)
                break
            except Timeout:  # another process works on them
                continue
        try:
            self._spool.tidy()
            while True:
                with self._changing:
                    job = None if self._end.is_set() else self._next()
                    if job is None:
                        self._thread = None
                        return
                self._work(job)
        finally:
            lock.release()

    def _work(self, job: Job) -> None:
        self.progress = Progress(job.id)
        writing: Writing | None = None
        try:
            self._spool.update(job.model_copy(update={"state": "running"}))
            writing = Writing(self._spool.sent(job), job.language)
            state = self._write(job, writing)
            # What a process leaves when it ends is taken up at the next start, from the beginning: what is stored
            # already is found unchanged.
            answer = writing.answer() if state == "done" else None
            stored = writing.stored if state == "done" else max(writing.stored, job.documents)
            self._spool.update(job.model_copy(update={"state": state, "answer": answer, "documents": stored}))
        except Exception as error:  # one job's trouble is told with it, and stops no other
            fields = problem_fields(as_problem(error), job.language, f"/api/v1/jobs/{job.id}")
            problem = ProblemOut.model_validate(fields)
            stored = max(writing.stored if writing is not None else 0, job.documents)
            self._spool.update(job.model_copy(update={"state": "failed", "problem": problem, "documents": stored}))
        finally:
            self.progress = None

    def _write(self, job: Job, writing: Writing) -> State:
        """Write part by part; returns the state the job is in then, ``queued`` where the process is to end."""
        sources = iter(writing.sent.sources(job.language))
        size = _FIRST_PART
        while not self._end.is_set():
            if self._spool.cancelled(job.id):
                return "cancelled"
            part = _Part(sources, size)
            started = perf_counter()
            if not self._add(job, part, writing):
                continue  # nothing was taken
            if part.taken < size:
                return "done"
            stored = max(writing.stored, job.documents)
            self._spool.update(job.model_copy(update={"state": "running", "documents": stored}))
            factor = _PART_SECONDS / max(perf_counter() - started, 0.01)
            size = int(min(max(size * min(max(factor, 0.5), 2.0), 1), _LARGEST_PART))
        return "queued"

    def _add(self, job: Job, part: _Part, writing: Writing) -> bool:
        """Write a part once nobody else does; returns whether that came to pass, before the end of the process and
        before somebody cancelled the job.

        :raises EngineError: The engine is away, and has been for too long.
        """
        until: float | None = None
        while not self._end.is_set() and not self._spool.cancelled(job.id):
            if self._writes.crowd().waiting:  # who waits goes first
                self._end.wait(_YIELD_SECONDS)
                continue
            try:
                with self._writes.enter():
                    told = partial(self._tell, writing)
                    each = partial(self._take, part, writing)
                    writing.add(self._corpus.add(part, progress=told, each=each, embed="own"))
                return True
            except BusyError:
                self._end.wait(_RETRY_SECONDS)
            except EngineError:
                until = until or perf_counter() + _AWAY_SECONDS
                if perf_counter() >= until:
                    raise
                self._end.wait(_RETRY_SECONDS)
        return False

    def _take(self, part: _Part, writing: Writing, outcome: Outcome) -> None:
        part.told(outcome)
        writing.take(outcome)

    def _tell(self, writing: Writing, stage: str, _done: int, _total: int) -> None:
        if self.progress is not None:
            self.progress.stage = stage
            self.progress.documents = writing.stored
            self.progress.files_done = sum(upload.done for upload in writing.sent.files)


class _Part:
    """The next so many of what is to be written. What was taken and not told of, it gives again when it is gone
    through once more: nobody knows whether that is stored.

    :param size: How many at most.
    """

    def __init__(self, sources: Iterator[Entry], size: int) -> None:
        self._sources = sources
        self._size = size
        self._untold: deque[Entry] = deque()
        self.taken = 0

    def __iter__(self) -> Iterator[Entry]:
        yield from tuple(self._untold)
        for one in islice(self._sources, self._size - self.taken):
            self.taken += 1
            self._untold.append(one)
            yield one

    def told(self, outcome: Outcome) -> None:
        """Note that it is known what became of the next one; of a file's end that is told only by what was removed."""
        if outcome.action == "removed":
            return
        while self._untold and isinstance(self._untold.popleft(), FileDone):
            pass
