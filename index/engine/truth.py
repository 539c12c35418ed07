"""What an engine keeps: documents with their passages, and what was made of them, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.document import Document, Passage
from index.engine.schema import Row
from index.walk import FileState
from index.wordtable import Ids


class Vectors(Protocol):
    """The embeddings, one for each different passage, with the passage's word-table token ids."""

    def waiting(self, limit: int | None = None, *, newest: bool = False) -> list[tuple[bytes, str, str]]:
        """``(key, title, text)`` of what still has to be embedded, once for each key.

        Args:
            limit: Of no more passages than so many, the oldest; ``None`` for all.
            newest: Of the newest instead.
        """
        ...

    def pending(self) -> int:
        """How many different passages still have to be embedded."""
        ...

    def dimension(self) -> int:
        """Of the stored vectors, 0 where there are none."""
        ...

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float16], tokens: Sequence[Ids]) -> None:
        """Store vectors, shape ``(len(keys), dimension)``, and word-table token ids, in a transaction of its own."""
        ...

    def of(self, keys: Sequence[bytes]) -> dict[bytes, tuple[npt.NDArray[np.float16], Ids]]:
        """The stored vectors and token ids of these keys, those that wait left out."""
        ...

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the keys that have a vector."""
        ...

    def retokenise(self, tokenise: Callable[[Sequence[str]], list[Ids]]) -> None:
        """Replace the token ids of everything embedded, as when the word table changes. Inside ``transaction()``."""
        ...

    def drop_all(self) -> None:
        """Forget every vector, as when the model changes. Inside ``transaction()``."""
        ...

    def drop_unused(self) -> int:
        """Forget vectors that no passage uses any more; returns how many."""
        ...


class Files(Protocol):
    """What is known of the files that documents were read from."""

    def known(self, path: str) -> tuple[FileState, frozenset[str]] | None:
        """What was recorded of a file, with the ids of its documents; ``None`` where it has to be read again."""
        ...

    def put(self, states: Iterable[FileState]) -> None:
        """Record files. Inside ``transaction()``."""
        ...

    def forget(self, document_path: str) -> None:
        """Forget the file, or the archives, that a document is being stored from. Inside ``transaction()``."""
        ...

    def all(self) -> Iterator[FileState]:
        """Everything recorded."""
        ...

    def dropped(self, path: str, keep: frozenset[str]) -> list[str]:
        """Ids of the documents once read from a file that are no longer in it."""
        ...


class Families(Protocol):
    """Which texts are repeats of each other."""

    def pending(self) -> int:
        """How many passages still have to be compared with the others."""
        ...

    def updating(self) -> AbstractContextManager[None]:
        """While the block runs, compare what is new, if it is so much that this pays before ``finish``."""
        ...

    def finish(self) -> None:
        """Compare what is new; takes time by what is new, not by what there is. Can be interrupted and resumed."""
        ...

    def drop_all(self) -> None:
        """Forget everything, so that it is made anew. Inside ``transaction()``."""
        ...


class Store(Protocol):
    """The truth: documents, their passages and what was made of them. Safe to share between threads.

    What changes documents is called inside ``transaction()``, by the one writer.
    """

    @property
    def vectors(self) -> Vectors:
        """The embeddings of the passages."""
        ...

    @property
    def files(self) -> Files:
        """What is known of the files that documents were read from."""
        ...

    @property
    def families(self) -> Families:
        """Which texts are repeats of each other."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """One write, safe when the block ends without an exception; of a block that raises nothing is kept.

        Raises:
            DataError: It could not be written, for example because the disk is full.
        """
        ...

    def meta(self, key: str) -> str | None:
        """A setting of the archive, ``None`` where it was never set."""
        ...

    def set_meta(self, **values: str) -> None:
        """Store settings of the archive, in a transaction of their own."""
        ...

    def keep(self, **values: str) -> None:
        """Store settings of the archive. Inside ``transaction()``."""
        ...

    def revision(self) -> int:
        """Counts the transactions; what derived indexes are compared with."""
        ...

    def counts(self) -> tuple[int, int]:
        """How many documents and passages there are."""
        ...

    def hashes(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Content hash of each of these documents that is stored."""
        ...

    def put(self, document: Document, digest: bytes, original: str, passages: Sequence[Passage]) -> None:
        """Add a document, or replace the one with its id. Inside ``transaction()``."""
        ...

    def recut(self, number: int, passages: Sequence[Passage]) -> None:
        """Give a document the passages of another cut of its text. Inside ``transaction()``.

        What is published still finds those of the cut before, with their document, until something else is.
        """
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents with their passages; returns how many there were. Inside ``transaction()``."""
        ...

    def documents(self, numbers: Iterable[int]) -> dict[int, Document]:
        """Documents by number; numbers that are gone are left out."""
        ...

    def published_documents(self, numbers: Iterable[int]) -> dict[int, Document]:
        """Documents by the numbers that what is published knows them by, which ``recut`` may have changed since."""
        ...

    def find(self, document_id: str) -> tuple[int, Document] | None:
        """A document and its number by its id."""
        ...

    def original(self, number: int) -> str:
        """The decoded original text of a document, to which positions refer."""
        ...

    def document_numbers(self) -> list[int]:
        """The numbers of all documents, ascending."""
        ...

    def articles(self) -> Iterator[list[tuple[str, str]]]:
        """The passages of each document, as ``(title, text)`` in order."""
        ...

    def page(
        self, *, limit: int, offset: int, source: str, text: str, date_from: str, date_to: str
    ) -> tuple[list[Document], int]:
        """A page of the documents ordered by id, with how many match in all. Empty conditions match everything;
        ``text`` must occur in the id, the title or the path."""
        ...

    def ids_under(self, paths: Sequence[str]) -> dict[str, str]:
        """``{id: path}`` of the documents read from these files or from anywhere below these folders."""
        ...

    def rows_of(self, document: int, first: int = 0, last: int | None = None) -> list[Row]:
        """The passages of a document at positions ``first`` to ``last`` (inclusive), in order."""
        ...

    def neighbours(self, rows: Sequence[Row]) -> Mapping[int, tuple[str, str]]:
        """By number of each passage the texts before and after it, empty where there is none."""
        ...

    def repeats(self, rows: Sequence[Row], limit: int) -> Mapping[int, list[Row]]:
        """By number of each passage those with its text or a repeat of it, itself among them, first come first."""
        ...

    def headlines(self, limit: int) -> list[tuple[str, str, int]]:
        """Different headlines, the latest first, each with the id and position of a passage under it."""
        ...
