"""An archive gets a model of its own: adapted, put into its folder, and everything embedded anew with it."""

from __future__ import annotations

import shutil

from index.corpus import Corpus
from index.model_cards import COMPACT, DEFAULT_MODEL
from index.model_choice import adapted_name
from index.telling import Progress, silent
from index.training.adapt import Report, adapt
from index.wordtable import WordTable


def adapt_corpus(corpus: Corpus, *, seed: int = 1, progress: Progress = silent) -> Report:
    """Adapt the compact model to the corpus and go over to it.

    Embedding that was interrupted is taken up where it stopped, by any later command that writes or serves. An archive
    that was adapted before starts again from the bundled model.

    Raises:
        SettingError: There is too little text.
        BusyError: Another process is writing.
    """
    fresh = corpus.data / "adapting"
    report = adapt(corpus.articles(), WordTable.load(COMPACT), fresh, seed=seed)
    name = adapted_name(WordTable.read(fresh).fingerprint)
    if (corpus.data / name).exists():
        shutil.rmtree(fresh)
    else:
        fresh.rename(corpus.data / name)
    corpus.rebuild(model=name, progress=progress)
    return report


def undo(corpus: Corpus, *, progress: Progress = silent) -> None:
    """Go back to the bundled model."""
    corpus.rebuild(model=DEFAULT_MODEL, progress=progress)
