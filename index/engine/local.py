"""The engine for one machine: SQLite holds the truth, Tantivy and FAISS are generations derived from it.

Readers work on a ``LocalView`` of one generation and switch to the next when CURRENT changes; the one writer
(guarded by a lock file across processes) changes SQLite first and publishes afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock

import numpy as np
from filelock import FileLock, Timeout

from index.engine import Numbers
from index.engine.connecting import is_of_the_disk
from index.engine.copying import copy_database
from index.engine.generation import DamagedError, Generations, Manifest
from index.engine.local_view import LocalView, published_view, salvaged_view
from index.engine.publishing import GenerationWriter
from index.engine.store import Store
from index.errors import BusyError, DataError, NoIndexError, StorageError
from index.walk import DATABASE
from index.wordtable import WordTable


class LocalEngine:
    """The data directory of one machine; see ``index.engine.Engine`` for what its methods promise.

    Args:
        data: The directory.
        create: Make it where it is absent.

    Raises:
        NoIndexError: There is no index in ``data`` and ``create`` is false.
    """

    name = "local"

    def __init__(self, data: Path, *, create: bool) -> None:
        if not create and not (data / DATABASE).is_file():
            raise NoIndexError(
                f"There is no index in {data}; make one with: python -m scripts.build_index PATH --data {data}",
                f"{data} 中没有索引；请先运行：python -m scripts.build_index 路径 --data {data}",
            )
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.store = Store(data / DATABASE)
        self._generations = Generations(data / "generations")
        self._lock = FileLock(data / "writer.lock", thread_local=False)
        self._writer = RLock()
        self._opening = Lock()
        self._view: LocalView | None = None
        self._stamp: tuple[int, int] | None = None
        self._times: dict[str, int] = {}  # when the files of the open generation were last written to

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    @contextmanager
    def writing(self, timeout: float = 10.0) -> Iterator[None]:
        """Be the one writer.

        Raises:
            BusyError: Another process is writing and went on for ``timeout`` seconds.
        """
        # The file's lock keeps out other processes, but lets in every thread of the one that holds it.
        if not self._writer.acquire(timeout=timeout):
            raise self._busy()
        try:
            try:
                self._lock.acquire(timeout=timeout)
            except Timeout as error:
                raise self._busy() from error
            except OSError as error:
                raise StorageError(
                    f"{self.data} cannot be written: {error.strerror}; check the disk and the permissions.",
                    f"无法写入 {self.data}：{error.strerror}；请检查磁盘和权限。",
                ) from error
            try:
                yield
            finally:
                self._lock.release()
        finally:
            self._writer.release()

    def _busy(self) -> BusyError:
        return BusyError(
            f"Another process is writing to {self.data}; wait until it has finished and try again.",
            f"另一个进程正在写入 {self.data}；请等它结束后再试。",
        )

    def view(self) -> LocalView | None:
        """The current generation, ``None`` before the first.

        Where it is damaged or gone, the one that was opened last goes on answering, from files still held open.
        """
        stamp = self._generations.stamp()
        if stamp == self._stamp and (stamp is None or self._view is not None):
            return self._view
        with self._opening:
            for attempt in range(5):
                stamp = self._generations.stamp()
                try:
                    manifest = self._generations.current()
                    if manifest is not None:
                        self._times = self._generations.times(manifest)
                        self._view = published_view(self.store, self._generations, manifest)
                    self._stamp = stamp
                    break
                except Exception:  # damaged bytes make FAISS, NumPy and Tantivy raise anything
                    # Either it is damaged, or the writer replaced it twice while it was being opened.
                    if attempt == 4 or stamp == self._generations.stamp():
                        self._stamp = stamp
                        break
        return self._view

    def salvage(self) -> bool:
        """Answer by what is whole until the indexes are made anew; see ``index.engine.Engine``."""
        if self.view() is None:
            salvaged = salvaged_view(self.store, self._generations)
            with self._opening:
                self._view = self._view or salvaged
        return self._view is not None and self._view.manifest is None

    def is_current(self, fingerprint: str, table: str) -> bool:
        """Whether the published generation covers all of the store, with these models."""
        manifest = self._whole()
        return (
            manifest is not None
            and manifest.revision == self.store.revision()
            and (manifest.fingerprint, manifest.table) == (fingerprint, table)
        )

    def _whole(self) -> Manifest | None:
        """What is published, where that is what is open, all there, of the size it should have, and not written to."""
        view = self.view()
        try:
            manifest = self._generations.current()
        except DamagedError:
            return None
        if view is None or view.manifest is None or manifest is None:
            return None
        if view.generation != manifest.generation or view.harmed:
            return None
        # Nobody writes to a published file: one that somebody did write to is compared with its checksum.
        times = self._generations.times(manifest)
        if touched := [name for name, time in times.items() if time != self._times.get(name)]:
            if self._generations.damaged_files(manifest, touched):
                view.harmed = True
                return None
            self._times = times
        return manifest

    def publish(
        self, fingerprint: str, dimension: int, table: WordTable, *, anew: bool = False, waiting: bool = False
    ) -> None:
        """Bring the derived indexes in step with the store. Call inside ``writing()``.

        Args:
            fingerprint, dimension: Of the embedding model whose vectors the store holds.
            table: The word table whose token ids the store holds.
            anew: Take nothing over from the last generation.
            waiting: Some passages have no vectors yet, and are to be found by words.

        Raises:
            StorageError: The files cannot be written, as where the disk is full; what is stored is safe, and what was
                published before stays.
            DataError: They cannot be made for another reason.
        """
        previous = None if anew else self._whole()
        models = fingerprint, dimension, table.fingerprint
        if previous is not None and (previous.fingerprint, previous.dimension, previous.table) != models:
            previous = None
        try:
            try:
                self._publish(models, table, previous, waiting=waiting)
            except (ValueError, RuntimeError) as error:  # of NumPy's and Tantivy's, of FAISS's
                # What is damaged in the last generation, size and time as they should be, shows when it is taken over.
                if previous is None or is_of_the_disk(error):
                    raise
                self._publish(models, table, None, waiting=waiting)
        except (OSError, ValueError, RuntimeError) as error:
            if not (isinstance(error, OSError) or is_of_the_disk(error)):
                raise DataError(
                    f"The indexes in {self.data} cannot be made: {error}; what was stored is safe. Run: "
                    f"python -m scripts.manage rebuild --data {self.data}",
                    f"无法生成 {self.data} 中的索引：{error}；已存入的内容完好。请运行："
                    f"python -m scripts.manage rebuild --data {self.data}",
                ) from error
            raise StorageError(
                f"The indexes in {self.data} cannot be written: {error}; what was stored is safe, and what was "
                "published before is found, less what was replaced since. Make room on the disk: a running service "
                f"then publishes by itself, else run: python -m scripts.manage encode --data {self.data}",
                f"无法写入 {self.data} 中的索引：{error}；已存入的内容完好，此前发布、未被替换的内容仍可找到。"
                "请腾出磁盘空间：运行中的服务会自行发布，否则请运行："
                f"python -m scripts.manage encode --data {self.data}",
            ) from error

    def _publish(
        self, models: tuple[str, int, str], table: WordTable, previous: Manifest | None, *, waiting: bool
    ) -> None:
        fingerprint, dimension, words = models

        def write(generation: int, folder: Path) -> Manifest:
            with self.store.snapshot():
                numbers = self.store.numbers()
                writer = GenerationWriter(
                    self.store, self._generations, previous, numbers, dimension, table, waiting=waiting
                )
                base_last = writer.write(folder)
            # Where there are many, another process has looked for repeats all the while.
            self.store.families.finish()
            np.save(folder / "families.npy", self.store.families.all())
            last = int(numbers[-1]) if len(numbers) else 0
            # Only repeats have changed since: this is the one writer.
            return Manifest(generation, self.store.revision(), last, base_last, fingerprint, dimension, words)

        self._generations.publish(write, previous)
        with suppress(StorageError):  # what is published is published; they are tried again with the next
            self.store.forget_retired()
            if not waiting:
                self.store.vectors.mark()

    def problems(self) -> list[str]:
        """What is published otherwise than stored, in English sentences."""
        problems = []
        published, stored = self.published_numbers(), self.store.numbers()
        if missing := len(np.setdiff1d(stored, published)):
            problems.append(f"{missing} stored passages are not in the published index")
        if gone := len(np.setdiff1d(published, stored)):
            problems.append(f"{gone} passages of the published index are no longer stored")
        return problems

    def options(self) -> str:
        """What a command needs to find this archive."""
        return f"--data {self.data}"

    def size(self) -> int:
        """Bytes on disk."""
        found = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                with suppress(OSError):  # removed between the two looks, as a new generation sweeps the last one away
                    found += Path(folder, name).stat().st_size
        return found

    def copy_to(self, file: Path) -> None:
        """Write the truth, as it is at one moment, into a new SQLite file, while others read and write."""
        copy_database(self.store.path, file)

    def tidy(self) -> None:
        """Give back the room of what was removed. Call inside ``writing()``."""
        self.store.vacuum()

    def damage(self) -> list[str]:
        """What is wrong with the database and the files of the published generation; reads every byte."""
        return [f"SQLite: {problem}" for problem in self.store.problems()] or self._damaged_files()

    def _damaged_files(self) -> list[str]:
        try:
            manifest = self._generations.current()
            while manifest is not None:
                damaged = self._generations.damaged_files(manifest)
                before, manifest = manifest, self._generations.current()
                if manifest == before or not damaged:  # or else they were replaced while they were being read
                    return [f"{file} is damaged" for file in damaged]
        except DamagedError as error:
            return [str(error)]
        return []

    def published_numbers(self) -> Numbers:
        """The passage numbers the published generation covers."""
        view = self.view()
        if view is None or view.manifest is None:
            return np.empty(0, np.int64)
        try:
            numbers: Numbers = np.load(self._generations.path(view.generation) / "numbers.npy")
        except OSError:  # deleted while it is held open
            return np.empty(0, np.int64)
        return numbers
