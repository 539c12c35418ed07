"""One writing of documents over HTTP: what was sent, what became of it so far, and what is answered."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from index.errors import StorageError
from index.outcomes import Outcome, Summary
from service import sentences
from service.language import Language
from service.problems import FieldError, Problem
from service.sent import Sent
from service.uploads import MOST_TOLD
from service.write_answers import DocumentAnswer, WriteAnswer

logger = logging.getLogger("xunzhang.service")


@dataclass(slots=True)
class Writing:
    """Follows what becomes of documents while they are added, in one call of ``Corpus.add`` or several.

    Attributes:
        sent: What is written.
        language: Of what is said about it.
        counts: How many documents each action was done with.
        passages: Of the documents added and replaced.
        degraded: What the documents cannot be found by yet, as ``WriteAnswer`` names it.
        documents: What became of the first of them.
    """

    sent: Sent
    language: Language
    counts: Counter[str] = field(default_factory=Counter)
    passages: int = 0
    degraded: set[str] = field(default_factory=set)
    documents: list[DocumentAnswer] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Note what became of the next document."""
        self.counts[outcome.action] += outcome.count or 1
        told = outcome.document or outcome.reason
        if not told or outcome.action == "removed" or len(self.documents) >= MOST_TOLD:
            return
        problem = None if outcome.reason is None else self._shown(outcome.reason.sentence(self.language))
        document = DocumentAnswer(
            id=outcome.document or None, name=self._shown(outcome.name), outcome=outcome.action, problem=problem
        )
        self.documents.append(document)

    def add(self, summary: Summary) -> None:
        """Note what a call of ``Corpus.add`` came to."""
        self.passages += summary.passages
        if summary.trouble is not None:
            self.degraded.add("indexes" if isinstance(summary.trouble, StorageError) else "dense")
            logger.warning("documents were stored, but: %s", summary.trouble)

    @property
    def stored(self) -> int:
        """Documents that are there now."""
        return self.counts["added"] + self.counts["replaced"] + self.counts["unchanged"]

    @property
    def status(self) -> int:
        """The HTTP status this is answered with."""
        return 207 if self.counts["skipped"] else 201 if self.counts["added"] else 200

    def answer(self) -> WriteAnswer:
        """What became of all that was sent.

        :raises Problem: 400 where nothing of it could be read.
        """
        if self.counts["skipped"] and not self.stored:
            errors = [
                FieldError(one.name, one.problem) for one in self.documents if one.outcome == "skipped" and one.problem
            ]
            english, chinese = (sentence.format(first=errors[0].message) for sentence in sentences.NOTHING_READ)
            raise Problem(400, "invalid-input", english, chinese, errors=errors)
        return WriteAnswer(
            ids=[document.id for document in self.documents if document.id],
            added=self.counts["added"],
            replaced=self.counts["replaced"],
            unchanged=self.counts["unchanged"],
            removed=self.counts["removed"],
            skipped=self.counts["skipped"],
            passages=self.passages,
            documents=self.documents,
            files=[upload.answer() for upload in self.sent.files],
            degraded=sorted(self.degraded),
        )

    def _shown(self, text: str) -> str:
        return text.replace(self.sent.prefix, "") if self.sent.prefix else text
