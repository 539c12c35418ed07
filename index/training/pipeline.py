"""The training from end to end: which stage follows which, and on what each depends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.training import contrastive, folding, glosses, neighbours, pairs, quantise, sources
from index.training.card import Figures, model_card
from index.training.stages import Workshop, fingerprint, key_of
from index.training.vocabulary import Vocabulary, choose_vocabulary, parts_of_words

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """Everything the model depends on besides the data.

    Attributes:
        seed: The same seed, data and number of threads give the same bytes.
        tokens: Size of the vocabulary, all kinds of tokens counted.
        latin: How many of them may be English words and pieces of words.
        dimension: Length of a vector.
        teacher: Who gives the first vectors, a name in ``glosses.TEACHERS``.
        schedule: The contrastive training.
    """

    seed: int = 1
    tokens: int = 92_000
    latin: int = 20_000
    dimension: int = 384
    teacher: str = "minilm"
    schedule: contrastive.Schedule = field(default_factory=contrastive.Schedule)

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """These settings with the given ones instead, those of the schedule by their own names too."""
        own = {item.name for item in fields(self)}
        schedule = replace(self.schedule, **{name: value for name, value in given.items() if name not in own})
        return replace(self, schedule=schedule, **{name: value for name, value in given.items() if name in own})


def train_model(
    data: Path,
    out: Path,
    work: Path,
    settings: Settings,
    figures: Sequence[Figures] = (),
    command: str = "python -m scripts.train_model --work WORK",
    on_epoch: Callable[[int, Floats], None] | None = None,
) -> None:
    """Train the compact model from the files under ``data`` and put it at ``out``, in place of one that is there.

    Args:
        work: Folder for the stages' outputs; a second run with the same settings takes up where the first stopped.
        figures: What earlier runs measured, for the model card.
        command: The command line that does this, for the model card.
        on_epoch: Called with the number of epochs trained and the table, after each.

    Raises:
        SourceError: if the data or a package that only training needs is missing.
    """
    sources.require_data(data)
    workshop = Workshop(work)
    charsmap = folding.service_charsmap()
    files = [data / source.file for source in sources.SOURCES]
    key = key_of(fingerprint(files), charsmap.hex(), settings.tokens, settings.latin)
    vocabulary = workshop.vocabulary(key, lambda: vocabulary_of(data, charsmap, settings.tokens, settings.latin))
    tokenizer = vocabulary.tokenizer(charsmap)

    def taught() -> Floats:
        of_words = glosses.glosses(sources.dictionary(data), tokenizer.normalizer.normalize_str)
        return glosses.taught_vectors(vocabulary, of_words, glosses.TEACHERS[settings.teacher]())

    lessons = workshop.table("taught", key_of(key, settings.teacher), taught)
    start = glosses.first_table(lessons, vocabulary, tokenizer, settings.dimension, settings.seed)
    parts = parts_of_words(vocabulary, charsmap)
    gathered = workshop.pairs(key_of(key, settings.seed), lambda: pairs.gather(data, tokenizer, settings.seed))
    trained = key_of(key, asdict(settings))
    checkpoint = work / f"checkpoint-{trained}.npz"
    table = workshop.table(
        "trained",
        trained,
        lambda: contrastive.train(start, gathered, settings.schedule, settings.seed, checkpoint, parts, on_epoch),
    )
    shape = (len(vocabulary.tokens), settings.dimension)
    quantise.write_model(out, tokenizer, table, model_card(shape, sources.SOURCES, figures, command))
    neighbours.write_neighbours(out, neighbours.nearest_words(table, vocabulary.tokens))


def vocabulary_of(data: Path, charsmap: bytes, tokens: int, latin: int) -> Vocabulary:
    """The ``tokens`` tokens that suit the training texts best, at most ``latin`` of them English."""
    words = dict.fromkeys((entry.word for entry in sources.dictionary(data)), 0.5)
    for group in sources.synonyms(data):
        words.update(dict.fromkeys(group, 0.5))
    for word, count in sources.word_counts(data).items():
        words[word] = words.get(word, 0.0) + count
    return choose_vocabulary(dict(running_text(data)), words, charsmap, tokens, latin)


def running_text(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Running text by collection, for counting: each collection weighs the same."""
    asked = list(sources.questions(data))
    yield "questions", [item.question for item in asked] + list(dict.fromkeys(item.passage for item in asked))
    for name in ("laws-zh.jsonl.xz", "prose-zh.jsonl.xz"):
        yield name, [text for article in sources.articles(data, name) for text in (article.title, *article.paragraphs)]
    aligned = list(sources.translations(data))
    for origin in dict.fromkeys(item.origin for item in aligned):
        yield f"{origin} zh", [item.chinese for item in aligned if item.origin == origin]
        yield f"{origin} en", [item.english for item in aligned if item.origin == origin]
    yield "glosses", [sense for entry in sources.dictionary(data) for sense in entry.senses]
