"""The word index: Tantivy over our own tokens, one immutable folder a generation.

Tantivy never changes a segment file once it is written, so a new generation is the old folder's files
hard-linked into a new one, opened there and committed there: adding one document costs one document.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tantivy

from index.engine import Filter, Found, Numbers
from index.engine.generation import taken_over
from index.wording import token_texts

_HEAP = 128_000_000  # bytes Tantivy may hold before it writes a segment
_AT_ONCE = 1_000  # passages cut into tokens together: what it takes stays in the processor's cache
_LOCKS = (".tantivy-writer.lock", ".tantivy-meta.lock")


@dataclass(frozen=True, slots=True)
class WordRow:
    """What the word index keeps of a passage; only the number can be read back."""

    number: int
    text: str
    source: str
    tags: tuple[str, ...]
    date: str


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("source", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("tag", tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("day", indexed=True, fast=True)
    return builder.build()


def day(date: str) -> int:
    """An ISO date as a number that sorts alike: ``2021-06-01`` is 20210601, ``2021-06`` 20210600, nothing 0."""
    digits = "".join(filter(str.isdigit, date[:10]))[:8]
    return int(digits.ljust(8, "0")) if digits else 0


def write_words(folder: Path, previous: Path | None, removed: Iterable[int], added: Iterable[WordRow]) -> None:
    """Write a word index into the empty ``folder``: what ``previous`` holds, less ``removed``, plus ``added``."""
    if previous is not None:
        for file in previous.iterdir():
            if file.name not in _LOCKS:
                taken_over(file, folder / file.name)
    schema = _schema()
    index = tantivy.Index(schema, path=str(folder))
    writer = index.writer(_HEAP, 1)  # with several, which passage stands before which equal one is chance
    for number in removed:
        # delete_documents_by_term takes the number for a signed one, and deletes nothing.
        writer.delete_documents_by_query(tantivy.Query.term_query(schema, "number", int(number)))
    rows = iter(added)
    while some := list(islice(rows, _AT_ONCE)):
        for row, body in zip(some, token_texts([row.text for row in some]), strict=True):
            writer.add_document(_document(row, body))
    writer.commit()
    writer.wait_merging_threads()
    for name in _LOCKS:
        (folder / name).unlink(missing_ok=True)


def _document(row: WordRow, body: str) -> tantivy.Document:
    document = tantivy.Document()
    document.add_unsigned("number", row.number)
    document.add_text("body", body)
    document.add_text("source", row.source)
    for tag in row.tags:
        document.add_text("tag", tag)
    document.add_unsigned("day", day(row.date))
    return document


@contextmanager
def _lockable(folder: Path) -> Iterator[Path]:
    """The folder, or where nothing can be written into it, a passing one that leads to its files: Tantivy locks the
    folder it opens, with a file."""
    if os.access(folder, os.W_OK):
        yield folder
        return
    with TemporaryDirectory(prefix="xunzhang-words-") as place:
        for file in folder.iterdir():
            if file.name not in _LOCKS:
                Path(place, file.name).symlink_to(file.absolute())
        yield Path(place)


class WordIndex:
    """A word index opened for reading; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        try:
            with _lockable(folder) as place:
                self._index = tantivy.Index.open(str(place))
                self._index.config_reader("manual")
                self._index.reload()
                self._schema = self._index.schema
                self._searcher = self._index.searcher()  # holds every file open
        except BaseException as error:  # a panic in Rust is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise ValueError(f"{folder} is no word index: {error}") from error

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        return [self._searcher.doc_freq("body", term) for term in terms]

    def search(
        self,
        weights: dict[str, float],
        required: Sequence[str],
        limit: int,
        only: Filter,
        allowed: Numbers | None = None,
    ) -> Found:
        """Best passages by BM25 (Tantivy's k1 = 1.2, b = 0.75) over weighted tokens.

        Args:
            weights: Token -> factor on its BM25 score; at least one of them must occur.
            required: Tokens of which each must occur.
            limit: Length of the list at most.
            only: Conditions that cost no score, bylines aside.
            allowed: Numbers of the passages that may be found; ``None`` for all.
        """
        if not (weights or required) or limit < 1 or not len(self):
            return Found.nothing()
        must = [self._term("body", term) for term in required]
        if weights:
            should = [
                (tantivy.Occur.Should, tantivy.Query.boost_query(self._term("body", term), weight))
                for term, weight in weights.items()
            ]
            must.append(tantivy.Query.boolean_query(should))
        parts = [(tantivy.Occur.Must, query) for query in must]
        parts += [(tantivy.Occur.Must, tantivy.Query.const_score_query(query, 0.0)) for query in self._conditions(only)]
        if allowed is not None:
            these = tantivy.Query.term_set_query(self._schema, "number", allowed.tolist())
            parts.append((tantivy.Occur.Must, tantivy.Query.const_score_query(these, 0.0)))
        query = parts[0][1] if len(parts) == 1 else tantivy.Query.boolean_query(parts)
        hits = self._searcher.search(query, limit, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        return Found(
            np.array(numbers, dtype=np.int64), np.fromiter((score for score, _ in hits), np.float32, len(hits))
        )

    def _term(self, field: str, value: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, "freq" if field == "body" else "basic")

    def _conditions(self, only: Filter) -> list[tantivy.Query]:
        conditions = [
            tantivy.Query.boolean_query([(tantivy.Occur.Should, self._term(field, value)) for value in values])
            for field, values in (("source", only.sources), ("tag", only.tags))
            if values
        ]
        if only.date_from or only.date_to:
            last = "".join(filter(str.isdigit, only.date_to[:10]))[:8].ljust(8, "9") if only.date_to else "99999999"
            conditions.append(
                tantivy.Query.range_query(
                    self._schema, "day", tantivy.FieldType.Unsigned, max(1, day(only.date_from)), int(last)
                )
            )
        return conditions
