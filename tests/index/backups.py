"""What the tests of backups share: an archive opened, the names in a folder, and an answer's scores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from index.corpus import Corpus
from index.document import Answer


def opened(data: Path) -> Any:
    return closing(Corpus.open(data))


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def scored(answer: Answer) -> list[tuple[str, float]]:
    return [(hit.passage_id, hit.score) for hit in answer.hits]
