"""Carrying an archive's truth from one engine into another: documents, originals, passages, vectors, files, settings.

Nothing is read again, cut again or embedded again. What is derived is not carried: the other engine publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from index.engine.truth import Store

T = TypeVar("T")

_BATCH = 256  # documents at once
_SETTINGS = ("fingerprint", "commit", "table", "waiting", "model")  # the model last: with it the archive is one


def transfer(source: Store, target: Store, tell: Callable[[int, int], None] = lambda _done, _all: None) -> None:
    """Carry everything. Both are being written to by nobody else; ``target`` may hold a part from an earlier try.

    Args:
        tell: Called with how many documents are done, and twice how many there are: vectors follow texts.
    """
    numbers = source.document_numbers()
    _remove_gone(source, target)
    for done, batch in _batches(numbers):
        _documents(source, target, batch)
        tell(done, 2 * len(numbers))
    with target.transaction():
        target.files.put(source.files.all())
    for done, batch in _batches(numbers):
        _vectors(source, target, batch)
        tell(len(numbers) + done, 2 * len(numbers))
    settings = {name: value for name in _SETTINGS if (value := source.meta(name)) is not None}
    target.set_meta(**settings)


def _remove_gone(source: Store, target: Store) -> None:
    """Remove what an earlier try carried and the source no longer has."""
    for _, batch in _batches(target.document_numbers()):
        ids = [document.id for document in target.documents(batch).values()]
        there = source.hashes(ids)
        if gone := [id_ for id_ in ids if id_ not in there]:
            with target.transaction():
                target.delete(gone)


def _documents(source: Store, target: Store, numbers: Sequence[int]) -> None:
    documents = source.documents(numbers)
    hashes = source.hashes([document.id for document in documents.values()])
    there = target.hashes(list(hashes))
    with target.transaction():
        for number, document in sorted(documents.items()):
            if there.get(document.id) != hashes[document.id]:
                passages = [row.passage for row in source.rows_of(number)]
                target.put(document, hashes[document.id], source.original(number), passages)


def _vectors(source: Store, target: Store, numbers: Sequence[int]) -> None:
    keys = list(dict.fromkeys(row.key for number in numbers for row in source.rows_of(number)))
    there = target.vectors.of(keys)
    found = {key: value for key, value in source.vectors.of(keys).items() if key not in there}
    if found:
        vectors, tokens = zip(*found.values(), strict=True)
        target.vectors.put(list(found), np.stack(vectors), list(tokens))


def _batches(values: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
    """How many are done after each batch, and the batch."""
    for start in range(0, len(values), _BATCH):
        batch = values[start : start + _BATCH]
        yield start + len(batch), batch
