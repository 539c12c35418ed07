"""Jobs on the disk: what was sent and is still to be written, and what became of it. Outlives the process.

DATA/jobs/<id>/job.json     the job, replaced as a whole by one rename
DATA/jobs/<id>/answer.json  what became of the documents, once it is done
DATA/jobs/<id>/0, 1, ...    what was sent, while it is needed
DATA/jobs/<id>/cancel       there once somebody asked to cancel it
DATA/jobs/.receiving-*      what is being sent, and what is being removed
DATA/jobs/worker.lock       held by the one process that works on jobs
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ValidationError

from index.errors import StorageError
from service import sentences
from service.answers import ProblemOut
from service.language import Language
from service.schemas import UploadFields
from service.sent import Files, Lines, Sent
from service.uploads import Upload
from service.write_answers import WriteAnswer

MOST_UNFINISHED = 100
_FINISHED_KEPT = 100
_ABANDONED_SECONDS = 24 * 3600
_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")
_JOB = "job.json"
_ANSWER = "answer.json"
_CANCEL = "cancel"
_RECEIVING = ".receiving-"
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Job(BaseModel):
    """A job as it is kept.

    :param id: Sorts by the time it was sent.
    :param kind: ``files`` of a form, or a body of ``lines`` with a record each.
    :param names: Of the files, by number.
    :param fields: What the form says of them.
    :param language: Of what is said about it.
    :param documents: How many are stored because of it, as far as is written down.
    :param answer: What became of them; not with a list of jobs.
    """

    id: str = ""
    state: State = "queued"
    kind: Literal["files", "lines"]
    names: list[str] = []
    fields: UploadFields
    language: Language
    created: str = ""
    finished: str = ""
    documents: int = 0
    answer: WriteAnswer | None = None
    problem: ProblemOut | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "cancelled")


class Spool:
    """The jobs of a data directory.

    :param folder: Where they are kept; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keeping = Lock()
        self._receiving: set[Path] = set()

    def worker_lock(self) -> FileLock:
        """Held by the process that works on jobs."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return FileLock(self._folder / "worker.lock")

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """A folder for what is being sent; what :meth:`keep` did not take goes with the block.

        :raises StorageError: The disk has no room for it, or cannot be written.
        """
        folder = self._folder / f"{_RECEIVING}{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700)
            self._receiving.add(folder)
            yield folder
        except OSError as error:
            raise _of_the_disk(error) from error
        finally:
            self._receiving.discard(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, folder: Path, job: Job) -> Job:
        """Make what was received into ``folder`` a job, which is on the disk when this returns."""
        for file in folder.iterdir():
            _sync(file)
        now = datetime.now(UTC)
        with self._keeping:
            # Jobs are worked on in the order of their ids: the last sent comes last, though the clock was set back.
            last = max(self._names(), default="0")
            number = max(int(now.timestamp() * 1000), int(last.partition("-")[0], 16) + 1)
            update = {"id": f"{number:012x}-{secrets.token_hex(4)}", "created": now.isoformat(timespec="seconds")}
            job = job.model_copy(update=update)
            _write(folder / _JOB, job)
            folder.rename(self._folder / job.id)
        _sync(self._folder)
        return job

    def jobs(self) -> list[Job]:
        """All jobs without their answers, the oldest first.

        :raises StorageError: They cannot be read.
        """
        try:
            names = sorted(self._names())
        except FileNotFoundError:  # there never was one
            return []
        except OSError as error:
            raise _unreadable(error) from error
        return [job for job in map(self._read, names) if job is not None]

    def _names(self) -> list[str]:
        return [entry.name for entry in self._folder.iterdir() if _ID.fullmatch(entry.name)]

    def find(self, id_: str) -> Job | None:
        """The job with this id, ``None`` where there is none."""
        job = self._read(id_) if _ID.fullmatch(id_) else None
        if job is None or job.state != "done":
            return job
        try:
            answer = WriteAnswer.model_validate_json((self._folder / id_ / _ANSWER).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        except OSError as error:
            raise _unreadable(error) from error
        return job.model_copy(update={"answer": answer})

    def _read(self, id_: str) -> Job | None:
        try:
            return Job.model_validate_json((self._folder / id_ / _JOB).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        except OSError as error:
            raise _unreadable(error) from error

    def sent(self, job: Job) -> Sent:
        """What was sent with it."""
        folder = self._folder / job.id
        if job.kind == "lines":
            return Lines(folder / "0")
        return Files(job.fields, [Upload(name, folder / str(number)) for number, name in enumerate(job.names)])

    def update(self, job: Job) -> None:
        """Write down how a job stands. What was sent with one that ended is removed, and so are the oldest ended.

        The worker and who cancels a job may do so at the same time, the latter in another process: the last to write
        says how it stands, which after a cancellation is the worker, who has seen it.
        """
        folder = self._folder / job.id
        if job.ended:
            job = job.model_copy(update={"finished": datetime.now(UTC).isoformat(timespec="seconds")})
        with suppress(FileNotFoundError):  # it was forgotten meanwhile
            if job.answer is not None:
                _write(folder / _ANSWER, job.answer)
            _write(folder / _JOB, job.model_copy(update={"answer": None}))
            if job.ended:
                for file in folder.iterdir():
                    if file.name.isdecimal():
                        file.unlink(missing_ok=True)
        if job.ended:
            with suppress(StorageError):  # the next that ends tries again
                ended = [one.id for one in self.jobs() if one.ended]
                for id_ in ended[: max(0, len(ended) - _FINISHED_KEPT)]:
                    self.forget(id_)

    def cancel(self, id_: str) -> None:
        """Ask whoever works on a job to leave it, which is on the disk then; one that waits is cancelled at once.

        :raises StorageError: The disk has no room for that, or cannot be written.
        """
        folder = self._folder / id_
        try:
            with suppress(FileNotFoundError):  # it ended and was forgotten meanwhile
                (folder / _CANCEL).touch()
                _sync(folder)
            # A worker says that a job runs before it looks whether it is cancelled: one of the two sees the other.
            job = self._read(id_)
            if job is not None and job.state == "queued":
                self.update(job.model_copy(update={"state": "cancelled"}))
        except OSError as error:
            raise _of_the_disk(error) from error

    def cancelled(self, id_: str) -> bool:
        """Whether somebody asked to leave a job."""
        return (self._folder / id_ / _CANCEL).exists()

    def forget(self, id_: str) -> None:
        """Remove a job with all that belongs to it, at once also for who is writing to it.

        :raises StorageError: The disk cannot be written.
        """
        leaving = self._folder / f"{_RECEIVING}{secrets.token_hex(8)}"
        try:
            (self._folder / id_).rename(leaving)
        except FileNotFoundError:  # somebody else forgot it meanwhile
            return
        except OSError as error:
            raise _of_the_disk(error) from error
        shutil.rmtree(leaving, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what was being received when a process ended: what did not grow for a day."""
        for entry in set(self._folder.glob(f"{_RECEIVING}*")) - self._receiving:
            try:
                newest = max(path.stat().st_mtime for path in (entry, *entry.iterdir()))
            except FileNotFoundError:  # it was received meanwhile
                continue
            if newest < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)


def _write(path: Path, value: BaseModel) -> None:
    new = path.with_suffix(f".{secrets.token_hex(4)}")  # of its own: another may write the same at the same time
    new.write_bytes(value.model_dump_json().encode())
    _sync(new)
    new.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Have a file's bytes, or a folder's entries, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(error: OSError) -> StorageError:
    english, chinese = (sentence.format(reason=error.strerror) for sentence in sentences.JOBS_UNREADABLE)
    return StorageError(english, chinese)


def _of_the_disk(error: OSError) -> Exception:
    """A full disk, or one that cannot be written, in a sentence; any other error as it is."""
    if error.errno not in _DISK:
        return error
    english, chinese = (sentence.format(reason=error.strerror) for sentence in sentences.NO_ROOM)
    return StorageError(english, chinese)
