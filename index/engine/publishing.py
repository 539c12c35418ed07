"""Writing one generation of the derived indexes from the store, taking over from the previous one what did not change.

Passages that wait for their vectors, because the model cannot be had, are found by words: their word-table tokens lie
in a segment of their own, ``late``, which has no vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np

from index.engine import Numbers
from index.engine.columns import VectorRow, write_columns
from index.engine.generation import Generations, Manifest, taken_over
from index.engine.schema import Row
from index.engine.store import Store
from index.engine.vectors import EXACT_UP_TO, Segment, write_index, write_segment
from index.engine.words import WordRow, write_words
from index.phrases import SAMPLE, counted_over, find_phrases, write_phrases
from index.tuning import processors
from index.wordtable import Ids, WordTable

PHRASES = "phrases.tsv"
LATE = "late"
_RECOUNT_SHARE = 0.1  # phrases are counted anew when the archive has grown or shrunk by this share
# When a segment or word index carries this share of removed or late rows, it is written anew.
_REWRITE_SHARE = 0.2
_CHUNK = 2_000

T = TypeVar("T")


class GenerationWriter:
    """Writes one generation's folder, taking over from the previous one what has not changed."""

    def __init__(
        self,
        store: Store,
        generations: Generations,
        previous: Manifest | None,
        numbers: Numbers,
        dimension: int,
        table: WordTable,
        *,
        waiting: bool,
    ) -> None:
        self._store = store
        self._table = table
        self._numbers = numbers
        self._dimension = dimension
        self._previous = previous
        self._waiting = waiting
        self._late: set[int] = set()
        self._old = None if previous is None else generations.path(previous.generation)

    def write(self, folder: Path) -> int:
        """Write everything but the families; returns the highest passage number of the large segment."""
        np.save(folder / "numbers.npy", self._numbers)
        base_last = self._write_vectors(folder)
        with ThreadPoolExecutor(1, "faiss") as beside:  # FAISS works outside the interpreter's lock
            indexing = beside.submit(self._index_vectors, folder)
            self._write_words(folder)
            if self._waiting:
                self._write_late(folder / LATE)
            self._write_phrases(folder / PHRASES)
            indexing.result()
        return base_last

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
        same = self._old is not None and not self._waiting and late_of(self._old) is None
        if self._old is not None and same and (old := self._old / PHRASES).is_file():
            before = counted_over(old)
            if abs(len(self._numbers) - before) <= _RECOUNT_SHARE * before:
                taken_over(old, file)
                return
        some = self._numbers[:: max(1, -(-len(self._numbers) // SAMPLE))]
        texts, ids = self._store.vectors.texts_of(some.tolist())
        late = [number for number in some.tolist() if number in self._late]
        rows = self._store.rows(late)
        texts += [_whole(rows[number]) for number in late]
        ids += self._table.ids([_whole(rows[number]) for number in late])
        write_phrases(file, find_phrases(texts, ids, self._table.tokens()), len(self._numbers))

    def _write_late(self, folder: Path) -> None:
        """Cut what waits for its vector into tokens, or take those of the previous generation."""
        folder.mkdir()
        known: dict[int, Ids] = {}
        if self._old is not None and (old := late_of(self._old)) is not None:
            known = dict(zip(old.numbers.tolist(), old.tokens(np.arange(len(old))), strict=True))
        rows: list[VectorRow] = []
        for chunk in _chunks(self._store.rows_waiting()):
            new = [row for row in chunk if row.number not in known]
            known |= zip([row.number for row in new], self._table.ids([_whole(row) for row in new]), strict=True)
            for row in chunk:
                self._late.add(row.number)
                tokens = known[row.number].astype("<u4").tobytes()
                rows.append(VectorRow(row.number, row.document, row.key, b"", tokens))
        write_segment(folder, rows, 0)

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
        """Write the columns of the segments; returns the highest passage number of the large one."""
        for name in ("base", "recent"):
            (folder / name).mkdir()
        base_last = self._take_over_base(folder)
        if base_last is None:
            # A passage that waits for its vector must come after the base, or it would never get in.
            waiting = self._store.vectors.first_waiting()
            base_last = int(self._numbers[-1]) if len(self._numbers) else 0
            base_last = base_last if waiting is None else min(base_last, waiting - 1)
            write_columns(folder / "base", self._vector_rows(0, base_last))
        write_columns(folder / "recent", self._vector_rows(base_last, None))
        return base_last

    def _index_vectors(self, folder: Path) -> None:
        # In this thread alone, and one processor is for words: threads of FAISS that find none free wait by spinning.
        faiss.omp_set_num_threads(max(1, processors() - 1))
        for segment in (folder / "base", folder / "recent"):
            if not (segment / "index.faiss").exists():  # the large one may have been taken over whole
                write_index(segment, self._dimension)

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
            taken_over(file, folder / "base" / file.name)
        if dead:
            np.save(folder / "alive.npy", alive)
        return self._previous.base_last

    def _vector_rows(self, after: int, last: int | None) -> Iterator[VectorRow]:
        for chunk in _chunks(self._store.vectors.after(after)):
            rows = [row for row in chunk if last is None or row[0] <= last]
            yield from (VectorRow(*row) for row in rows)
            if len(rows) < len(chunk):
                return


def late_of(generation: Path) -> Segment | None:
    """The passages of a generation that had no vectors, if there were any."""
    return Segment.open(generation / LATE, 0, None) if (generation / LATE).is_dir() else None


def _whole(row: Row) -> str:
    """The text of a passage as it is cut into tokens."""
    return f"{row.passage.title}\n{row.passage.text}" if row.passage.title else row.passage.text


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
