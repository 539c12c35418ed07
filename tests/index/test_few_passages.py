"""Documents added to a running service do not start torch, and get the vectors torch would give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from index.embedding import open_encoder
from index.model_cards import DEFAULT_MODEL, model_card
from index.wordtable import WordTable

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source
corpus = Corpus.open(Path(sys.argv[1]))
many = [{"id": f"boat-{number}", "text": f"第{number}号渔船回港，船上有{number}名渔民。"} for number in range(600)]
corpus.add(record_source(one, source="") for one in [*many, {"id": "new", "text": "渡口的灯塔今晚亮了。"}])
assert corpus.search(SearchRequest("灯塔什么时候亮", mode="dense")).hits[0].document.id == "new"
assert corpus.verify() == []
corpus.close()
print("torch" in sys.modules, "sentence_transformers" in sys.modules)
"""


def test_hundreds_of_documents_are_added_without_starting_torch(sample_copy: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(sample_copy)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False False\n", done.stderr


def test_few_passages_get_the_vectors_that_many_get() -> None:
    card = model_card(DEFAULT_MODEL)
    texts = [f"第{number}号渔船回港，船上有{number}名渔民。\nThe harbour is open." for number in range(4_001)]
    ids = WordTable.load(Path(card.location)).ids(texts)
    few = open_encoder(card).documents(texts[:20], ids[:20])
    many = open_encoder(card).documents(texts, ids)[:20]
    assert "torch" in sys.modules
    assert np.abs(few - many).max() < 1e-5
