"""What is measured on: real documents first, then new ones put together from their sentences; and queries of them.

The same seed gives the same documents and queries every time.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from index.chinese import sentences
from index.document import Document
from index.evaluation import corpus_sources, read_queries
from index.ingest import Source, sources_of
from index.model_cards import model_card
from index.paragraphs import cut
from index.readers import Page

SAMPLE = Path(__file__).resolve().parents[2] / "index" / "sample"

_SEED = 20260101
_POOL = 200_000  # sentences that new documents are put together from, at most
_CLAUSE = re.compile(r"[^，。！？；：、,.!?;:\s“”‘’（）()《》]{6,20}")
_FIRST = 400  # documents that tell how many passages one has
_PARAGRAPH = 6  # sentences
_LONGEST = 6_000  # characters of a document that was put together


@dataclass
class Material:
    """The documents of one benchmark run, as many as it asks for.

    Args:
        corpus: A file of BEIR's form, ``None`` for the bundled sample.
        queries: A file of queries; without it queries are clauses of the documents.
    """

    corpus: Path | None = None
    queries_file: Path | None = None
    _real: list[str] = field(default_factory=list, init=False)
    _source: Iterator[str] | None = field(default=None, init=False)
    _pool: list[str] = field(default_factory=list, init=False)
    _per_passage: float = field(default=0.0, init=False)

    @property
    def name(self) -> str:
        """Of the documents, for reports."""
        return self.corpus.parent.name + "/" + self.corpus.name if self.corpus else "index/sample"

    def texts(self) -> Iterator[str]:
        """Document after document, without end: the real ones in their order, then those put together."""
        yield from self._real_ones()
        yield from self.new()

    def _real_ones(self) -> Iterator[str]:
        yield from self._real
        if self._source is None:
            self._source = _texts(self.corpus)
        for text in self._source:
            self._real.append(text)
            yield text

    def passages(self, count: int | None) -> Iterator[str]:
        """Documents that give about ``count`` passages, or all real ones."""
        if count is None:
            return self._real_ones()
        if not self._per_passage:
            first = list(islice(self.texts(), _FIRST))
            lengths = model_card("compact").lengths
            self._per_passage = len(first) / sum(len(cut(text, lengths).passages) for text in first)
        return islice(self.texts(), max(1, round(count * self._per_passage)))

    def queries(self, count: int) -> list[str]:
        """Different queries: those of the file, or clauses of documents that were handed out already."""
        if self.queries_file is not None:
            return list(dict.fromkeys(query.text for query in read_queries(self.queries_file)))[:count]
        return clauses(self._real or list(islice(self.texts(), _FIRST)), count)

    def new(self, seed: int = _SEED) -> Iterator[str]:
        """Documents of the real ones' sentences and lengths, without end; each seed gives others."""
        chosen = random.Random(seed)  # noqa: S311 - for measuring
        if not self._pool:
            step = max(1, sum(map(len, self._real)) // 40 // _POOL)
            for text in self._real[::step]:
                self._pool.extend(text[start:end].strip() for start, end in sentences(text))
        lengths = [min(len(text), _LONGEST) for text in self._real]
        while True:
            wanted, parts = chosen.choice(lengths), list[str]()
            while wanted > 0:
                parts.append(chosen.choice(self._pool))
                wanted -= max(1, len(parts[-1]))
                if len(parts) % _PARAGRAPH == 0:
                    parts.append("\n")
            yield "".join(parts)


def clauses(texts: Sequence[str], count: int) -> list[str]:
    """Different clauses of texts, to be asked for."""
    chosen = random.Random(_SEED)  # noqa: S311 - for measuring
    found: dict[str, None] = {}
    for _ in range(20 * count):
        some = _CLAUSE.findall(chosen.choice(texts))
        if some:
            found[chosen.choice(some)] = None
        if len(found) == count:
            break
    return list(found)


def sources(texts: Iterator[str] | list[str], prefix: str = "d") -> Iterator[Source]:
    """Texts as documents to be added, numbered in order."""
    for number, text in enumerate(texts):
        yield Source(Document(f"{prefix}{number}", "benchmark"), (Page(text),))


def write_records(texts: Iterator[str], file: Path) -> int:
    """Write texts as a file of records that ``build_index`` reads; returns how many."""
    count = 0
    with file.open("w", encoding="utf-8") as stream:
        for count, text in enumerate(texts, 1):
            stream.write(json.dumps({"id": f"d{count}", "text": text}, ensure_ascii=False) + "\n")
    return count


def _texts(corpus: Path | None) -> Iterator[str]:
    found = corpus_sources(corpus) if corpus is not None else sources_of([SAMPLE])
    for source in found:
        if isinstance(source, Source):
            yield source.text
