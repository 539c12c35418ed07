"""Indexing against its bare parts: reading records, cutting tokens, embedding and Tantivy, and nothing else.

The same documents in turn by ``Corpus.add``, from a file to a published archive, and by the bare parts, which keep no
truth, no passages of documents, no repeats and survive no crash.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from index.corpus import Corpus
from index.embedding import Encoder
from index.ingest import sources_of
from index.paragraphs import cut
from index.wording import token_texts
from index.wordtable import WordTable
from scripts.benchmarking.material import Material, write_records
from scripts.benchmarking.spread import Goal, Spread, timed

PARTS = ("decode", "tokenise", "encode", "words")
_HEAP = 128_000_000


@dataclass(frozen=True, slots=True)
class IndexingTimes:
    """Milliseconds of every round, for each part and for the whole."""

    documents: int
    passages: int
    times: dict[str, list[float]]

    @property
    def shares(self) -> Spread:
        """Which share of the whole its parts take, round by round."""
        rounds = zip(*(self.times[name] for name in (*PARTS, "add")), strict=True)
        return Spread.of([sum(parts) / whole for *parts, whole in rounds])

    def row(self) -> dict[str, object]:
        """The figures as they go into the JSON report."""
        whole = Spread.of(self.times["add"]).median
        return {
            "documents": self.documents,
            "passages": self.passages,
            "rounds": len(self.times["add"]),
            "ms": {name: Spread.of(values).row() for name, values in self.times.items()},
            "bare_share": self.shares.row(),
            "passages_a_second": round(1000 * self.passages / whole),
        }

    def goals(self) -> list[Goal]:
        """What the work beside the bare parts may cost."""
        return [Goal("indexing: share of its bare parts", 60, 100 * self.shares.median, "%", most=False)]


def indexing_times(material: Material, passages: int, rounds: int) -> IndexingTimes:
    """Index about so many passages, whole and bare in turn, several times."""
    times: dict[str, list[float]] = {name: [] for name in (*PARTS, "add")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        documents = write_records(material.passages(passages), file)
        for round_ in range(-1, rounds):  # the first loads the model, and is not counted
            here = Path(folder) / str(round_)
            here.mkdir()
            whole = timed(lambda: _added(file, here / "whole"))  # noqa: B023 - called at once
            found = {"add": whole[0], **_bare(file, here / "words")}
            if round_ >= 0:
                for name, spent in found.items():
                    times[name].append(spent)
    return IndexingTimes(documents, whole[1], times)


def _added(file: Path, data: Path) -> int:
    corpus = Corpus.open(data, create=True)
    summary = corpus.add(sources_of([file]))
    corpus.close()
    if summary.trouble is not None:
        raise summary.trouble
    return summary.passages


def _bare(file: Path, folder: Path) -> dict[str, float]:
    """Milliseconds of each part over the passages of the records; cutting them is not counted."""
    corpus = Corpus.open(folder / "model", create=True)
    encoder, table = corpus.encoder(), corpus.table
    decode, texts = timed(lambda: [json.loads(line)["text"] for line in file.open(encoding="utf-8")])
    layouts = [cut(text, encoder.card.lengths, seam=table.crosses) for text in texts]
    pieces = [passage.text for layout in layouts for passage in layout.passages]
    tokenise, cuts = timed(lambda: token_texts(pieces))
    encode, _ = timed(lambda: _encoded(encoder, table, pieces))
    (folder / "index").mkdir()
    words, _ = timed(lambda: _written(folder / "index", cuts))
    corpus.close()
    return dict(zip(PARTS, (decode, tokenise, encode, words), strict=True))


def _encoded(encoder: Encoder, table: WordTable, pieces: Sequence[str]) -> None:
    for start in range(0, len(pieces), encoder.stride):
        batch = pieces[start : start + encoder.stride]
        encoder.documents(batch, table.ids(batch))


def _written(folder: Path, cuts: Sequence[str]) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer(_HEAP, 1)
    for number, cut_text in enumerate(cuts):
        document = tantivy.Document()
        document.add_unsigned("number", number)
        document.add_text("body", cut_text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
