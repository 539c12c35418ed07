"""What the tests of backups share beside their helpers: a backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.backup import back_up
from index.corpus import Corpus


@pytest.fixture(scope="module")
def packed(sample: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the sample."""
    return back_up(sample, tmp_path_factory.mktemp("backup"))[0]
