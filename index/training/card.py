"""The model card: what the compact model is, what it learned from, what it measured, how to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.training.sources import Source


@dataclass(frozen=True)
class Figures:
    """What one retrieval set measured: nDCG@10 in percent of the pooled vectors alone, exact search."""

    name: str
    passages: int
    queries: int
    dense: float


_TEMPLATE = """\
---
language: [zh, en]
license: cc-by-sa-4.0
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, static-embedding, chinese]
---

# Xunzhang compact: a static Chinese-English embedding

A table of {tokens:,} word vectors of {dimension} dimensions. A text's vector is the sum of its words', normalised:
no neural network runs, so a query takes well under a millisecond on one core. Made to search Chinese text,
simplified or traditional, with Chinese or English queries, on machines with nothing downloaded.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("index/models/compact", device="cpu")
question, passages = model.encode("怎么解除劳动合同"), model.encode(["用人单位应当……", "..."])
scores = passages @ question  # unit vectors: cosines
```

## What is in it

- `tokenizer.json` folds width, case, accents and traditional characters (offsets keep pointing into the original
  text), closes gaps between Chinese characters, drops what is neither letter nor digit, and cuts the rest into words
  (Unigram). What it does not know becomes UTF-8 byte tokens, never an unknown token. A text without letters and
  digits has no tokens, and its vector is zero.
- `model.safetensors` holds the table as `embeddings` (int8) times `weights` (one float32 a row). The length of a row
  is the weight of its word.
- `neighbours.npy` lists for each whole word the four nearest Chinese and the two nearest English ones, for asking word
  search in other words too.

## What it learned from

The first vectors are the embeddings of English glosses under all-MiniLM-L6-v2 (Apache-2.0); then the table was trained
contrastively on pairs from these files.

| file | what | licence |
|---|---|---|
{sources}

The weights are published under CC BY-SA 4.0, because some of the sources are share-alike. The code is Apache-2.0.

## What it measured

nDCG@10 of the pooled vectors alone, exact search. None of these sets was trained on. Two cautions: CMRC 2018 and DRCD
share their source, Wikipedia, with the questions trained on; and the settings were chosen by looking at the first
three sets, so expect a little less elsewhere.

| set | passages | queries | nDCG@10 |
|---|---|---|---|
{figures}

## What it cannot do

It does not see the order of words: "甲起诉乙" and "乙起诉甲" are the same to it. Names it never met are only
characters to it. It was trained on encyclopaedia, law and computing; other fields rest on the dictionary. Use it
together with word search, as the service does.

## To make it again

```sh
pip install -r requirements-train.txt
{command}
```

The same data, seed, packages and number of threads are meant to give the same bytes (the tests hold a small corpus to
that). About half an hour on two cores. What was tried and how it measured is in
[../README.md](../README.md).
"""


def model_card(shape: tuple[int, int], sources: Sequence[Source], figures: Sequence[Figures], command: str) -> str:
    """The card in Markdown, with the front matter that model hubs read.

    Args:
        shape: tokens and dimension.
        figures: what was measured; without any, the card says so.
        command: the command line that made the model.
    """
    files = [f"| {source.file} | {source.holds} | {source.licence} |" for source in sources]
    rows = [f"| {found.name} | {found.passages:,} | {found.queries:,} | {found.dense:.1f} |" for found in figures]
    return _TEMPLATE.format(
        tokens=shape[0],
        dimension=shape[1],
        sources="\n".join(files),
        figures="\n".join(rows) or "| not measured | | | |",
        command=command,
    )


def figures_from(measured: Mapping[str, Mapping[str, float]]) -> list[Figures]:
    """Figures from a JSON object ``{set: {"passages": n, "queries": n, "ndcg@10": 0.xx}}``."""
    return [
        Figures(name, int(found["passages"]), int(found["queries"]), 100 * found["ndcg@10"])
        for name, found in measured.items()
    ]
