"""The engine for one machine: SQLite holds the truth, Tantivy and FAISS are generations derived from it.

Readers work on a ``LocalView`` of one generation and switch to the next when CURRENT changes; the one writer
(guarded by a lock file across processes) changes SQLite first and publishes afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from index.engine import Filter, Found, Known, Numbers
from index.engine.generation import DamagedError, Generations, Manifest
from index.engine.schema import Row
from index.engine.store import Store
from index.engine.vectors import EXACT_UP_TO, Segment, VectorRow, merge, write_segment
from index.engine.words import WordIndex, WordRow, write_words
from index.errors import BusyError, NoIndexError
from index.phrases import SAMPLE, Phrase, find_phrases, read_phrases, write_phrases
from index.wordtable import WordTable

DATABASE = "xunzhang.sqlite3"
_PHRASES = "phrases.tsv"
_RECOUNT_SHARE = 0.1  # phrases are counted anew when the archive has grown or shrunk by this share
# When a segment or word index carries this share of removed or late rows, it is written anew.
_REWRITE_SHARE = 0.2
_CHUNK = 2_000

T = TypeVar("T")


class LocalView:
    """One generation, opened for reading."""

    def __init__(self, store: Store, generations: Generations, manifest: Manifest) -> None:
        folder = generations.path(manifest.generation)
        self.manifest = manifest
        self._store = store
        self._words = WordIndex(folder / "words")
        self._phrases = folder / _PHRASES
        alive = np.load(folder / "alive.npy") if (folder / "alive.npy").exists() else None
        self._base = Segment(folder / "base", manifest.dimension, alive)
        self._recent = Segment(folder / "recent", manifest.dimension, None)
        families = folder / "families.npy"  # generations of earlier versions have none
        pairs: npt.NDArray[np.uint64] = np.load(families) if families.exists() else np.empty((2, 0), np.uint64)
        self._repeated, self._family = pairs
        # A function of the store, not a bound method: a view that is its own cache's argument would be a cycle,
        # and keep its files open until the garbage collector comes by.
        self._allowed = lru_cache(maxsize=32)(partial(_matching, store))

    @property
    def generation(self) -> int:
        """Number of this generation."""
        return self.manifest.generation

    @property
    def passages(self) -> int:
        """How many passages the word index holds."""
        return len(self._words)

    @property
    def kind(self) -> str:
        """How vectors are searched, in words."""
        return self._base.kind

    def phrases(self) -> list[Phrase]:
        """The archive's frequent phrases, most frequent first; none where the generation is gone already."""
        return read_phrases(self._phrases)[0]

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        return self._words.frequencies(terms)

    def lexical(self, weights: dict[str, float], required: Sequence[str], limit: int, only: Filter) -> Found:
        """Best passages by BM25 over weighted tokens; every token of ``required`` must occur."""
        # The word index keeps no bylines: the numbers of their passages stand for them.
        allowed = self._allowed(Filter(bylines=only.bylines)) if only.bylines else None
        return self._words.search(weights, required, limit, only, allowed)

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        """Nearest passages to a unit vector, scores are exact cosines."""
        allowed = self._allowed(only) if only else None
        return merge([segment.search(vector, limit, allowed) for segment in (self._base, self._recent)], limit)

    def known(self, numbers: Numbers) -> Known:
        """What is at hand about these passages."""
        documents = np.zeros(len(numbers), np.int64)
        keys = np.zeros(len(numbers), np.uint64)
        vectors = np.zeros((len(numbers), self.manifest.dimension), np.float32)
        tokens: list[npt.NDArray[np.uint32]] = [np.empty(0, np.uint32)] * len(numbers)
        for segment in (self._base, self._recent):
            rows, present = segment.places(numbers)
            where = np.flatnonzero(present)
            rows = rows[where]
            documents[where] = segment.documents[rows] if len(rows) else 0
            keys[where] = segment.keys[rows] if len(rows) else 0
            vectors[where] = segment.vectors(rows)
            for place, ids in zip(where, segment.tokens(rows), strict=True):
                tokens[place] = ids
        missing = np.flatnonzero(documents == 0)  # stored, but without a vector yet
        for place, row in ((p, self._store.rows([int(numbers[p])]).get(int(numbers[p]))) for p in missing):
            if row is not None:
                documents[place], keys[place] = row.document, int.from_bytes(row.key[:8], "little")
        if len(self._repeated):
            places = np.minimum(np.searchsorted(self._repeated, keys), len(self._repeated) - 1)
            keys = np.where(self._repeated[places] == keys, self._family[places], keys)
        return Known(documents, keys, vectors, tokens)

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """The stored passages; numbers that are gone are left out."""
        return self._store.rows(numbers)


def _matching(store: Store, only: Filter) -> Numbers:
    return store.matching(only.sources, only.tags, only.date_from, only.date_to, only.bylines)


class LocalEngine:
    """The data directory of one machine.

    Args:
        data: The directory.
        create: Make it where it is absent.

    Raises:
        NoIndexError: There is no index in ``data`` and ``create`` is false.
    """

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
        self._opening = Lock()
        self._view: LocalView | None = None
        self._stamp: tuple[int, int] | None = None

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    @contextmanager
    def writing(self, timeout: float = 10.0) -> Iterator[None]:
        """Be the one writer.

        Raises:
            BusyError: Another process is writing and went on for ``timeout`` seconds.
        """
        try:
            self._lock.acquire(timeout=timeout)
        except Timeout as error:
            raise BusyError(
                f"Another process is writing to {self.data}; wait until it has finished and try again.",
                f"另一个进程正在写入 {self.data}；请等它结束后再试。",
            ) from error
        try:
            yield
        finally:
            self._lock.release()

    def view(self) -> LocalView | None:
        """The current generation, ``None`` before the first and while it is damaged."""
        stamp = self._generations.stamp()
        if stamp == self._stamp and (stamp is None or self._view is not None):
            return self._view
        with self._opening:
            for attempt in range(5):
                stamp = self._generations.stamp()
                try:
                    manifest = self._generations.current()
                    self._view = None if manifest is None else LocalView(self.store, self._generations, manifest)
                    self._stamp = stamp
                    break
                except Exception:  # damaged bytes make FAISS, NumPy and Tantivy raise anything
                    # Either it is damaged, or the writer replaced it twice while it was being opened.
                    if attempt == 4 or stamp == self._generations.stamp():
                        self._view, self._stamp = None, stamp
                        break
        return self._view

    def is_current(self, fingerprint: str, table: str) -> bool:
        """Whether the published generation covers all of the store, with these models."""
        view = self.view()
        return (
            view is not None
            and view.manifest.revision == self.store.revision()
            and (view.manifest.fingerprint, view.manifest.table) == (fingerprint, table)
        )

    def publish(self, fingerprint: str, dimension: int, table: WordTable, *, anew: bool = False) -> None:
        """Bring the derived indexes in step with the store. Call inside ``writing()``.

        Args:
            fingerprint, dimension: Of the embedding model whose vectors the store holds.
            table: The word table whose token ids the store holds.
            anew: Take nothing over from the last generation.
        """
        previous = None
        if not anew and (view := self.view()) is not None:
            previous = view.manifest
            models = fingerprint, dimension, table.fingerprint
            if (previous.fingerprint, previous.dimension, previous.table) != models:
                previous = None
        with self.store.snapshot():
            numbers = self.store.numbers()
            writer = _Writer(self.store, self._generations, previous, numbers, dimension, table)

            def write(generation: int, folder: Path) -> Manifest:
                base_last = writer.write(folder)
                last = int(numbers[-1]) if len(numbers) else 0
                revision, words = self.store.revision(), table.fingerprint
                return Manifest(generation, revision, last, base_last, fingerprint, dimension, words)

            self._generations.publish(write, previous)

    def damage(self) -> list[str]:
        """What is wrong with the files of the published generation; reads every byte."""
        try:
            manifest = self._generations.current()
        except DamagedError as error:
            return [str(error)]
        if manifest is None:
            return []
        return [f"{file} is damaged" for file in self._generations.damaged_files(manifest)]

    def published_numbers(self) -> Numbers:
        """The passage numbers the published generation covers."""
        view = self.view()
        if view is None:
            return np.empty(0, np.int64)
        numbers: Numbers = np.load(self._generations.path(view.generation) / "numbers.npy")
        return numbers


class _Writer:
    """Writes one generation's folder, taking over from the previous one what has not changed."""

    def __init__(
        self,
        store: Store,
        generations: Generations,
        previous: Manifest | None,
        numbers: Numbers,
        dimension: int,
        table: WordTable,
    ) -> None:
        self._store = store
        self._table = table
        self._numbers = numbers
        self._dimension = dimension
        self._previous = previous
        self._old = None if previous is None else generations.path(previous.generation)

    def write(self, folder: Path) -> int:
        """Write everything; returns the highest passage number of the large segment."""
        np.save(folder / "numbers.npy", self._numbers)
        np.save(folder / "families.npy", self._store.families.all())
        self._write_words(folder)
        self._write_phrases(folder / _PHRASES)
        return self._write_vectors(folder)

    def _write_words(self, folder: Path) -> None:
        (folder / "words").mkdir()
        old, last, removed = None, 0, np.empty(0, np.int64)
        if self._old is not None and self._previous is not None:
            before = np.load(self._old / "numbers.npy")
            removed = np.setdiff1d(before, self._numbers, assume_unique=True)
            if len(removed) <= _REWRITE_SHARE * len(before):
                old, last = self._old / "words", self._previous.last_number
        rows = self._word_rows(self._store.rows_after(last))
        write_words(folder / "words", old, removed if old else (), rows)

    def _write_phrases(self, file: Path) -> None:
        """Count the phrases of passages spread evenly over the archive, or keep those of a little while ago."""
        if self._old is not None and (old := self._old / _PHRASES).is_file():
            before = read_phrases(old)[1]
            if abs(len(self._numbers) - before) <= _RECOUNT_SHARE * before:
                os.link(old, file)
                return
        some = self._numbers[:: max(1, -(-len(self._numbers) // SAMPLE))]
        texts, ids = self._store.vectors.texts_of(some.tolist())
        write_phrases(file, find_phrases(texts, ids, self._table.tokens()), len(self._numbers))

    def _word_rows(self, rows: Iterator[Row]) -> Iterator[WordRow]:
        for chunk in _chunks(rows):
            documents = self._store.documents({row.document for row in chunk})
            for row in chunk:
                document = documents[row.document]
                text = f"{row.passage.title}\n{row.passage.text}"
                if row.position == 0:  # an author is found where the document begins
                    text = f"{document.byline}\n{text}"
                yield WordRow(row.number, text, document.source, document.tags, document.date)

    def _write_vectors(self, folder: Path) -> int:
        for name in ("base", "recent"):
            (folder / name).mkdir()
        base_last = self._take_over_base(folder)
        if base_last is None:
            # A passage that waits for its vector must come after the base, or it would never get in.
            waiting = self._store.vectors.first_waiting()
            base_last = int(self._numbers[-1]) if len(self._numbers) else 0
            base_last = base_last if waiting is None else min(base_last, waiting - 1)
            write_segment(folder / "base", self._vector_rows(0, base_last), self._dimension)
        write_segment(folder / "recent", self._vector_rows(base_last, None), self._dimension)
        return base_last

    def _take_over_base(self, folder: Path) -> int | None:
        """Link the previous large segment and mask what was removed; ``None`` where it has to be written anew."""
        if self._old is None or self._previous is None:
            return None
        before = np.load(self._old / "base" / "numbers.npy")
        alive = np.isin(before, self._numbers, assume_unique=True)
        recent = int((self._numbers > self._previous.base_last).sum())
        dead = len(before) - int(alive.sum())
        if dead > _REWRITE_SHARE * len(before) or recent > max(EXACT_UP_TO // 10, _REWRITE_SHARE * len(before)):
            return None
        for file in (self._old / "base").iterdir():
            os.link(file, folder / "base" / file.name)
        if dead:
            np.save(folder / "alive.npy", alive)
        return self._previous.base_last

    def _vector_rows(self, after: int, last: int | None) -> Iterator[VectorRow]:
        for chunk in _chunks(self._store.vectors.after(after)):
            rows = [row for row in chunk if last is None or row[0] <= last]
            yield from (VectorRow(*row) for row in rows)
            if len(rows) < len(chunk):
                return


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
