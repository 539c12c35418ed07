"""What became of each document and file that was handed to a corpus, and of all together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from index.errors import ModelError, SourceError, StorageError
from index.readers import Note

Action = Literal["added", "replaced", "unchanged", "removed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document, of several of one file alike, or of something that could not be read.

    Attributes:
        action: What was done.
        name: Path of what was read, with its place inside an archive or file.
        file: The file it came from; empty for records that came from none.
        document: Its id; empty for several, and for what could not be read.
        count: How many documents.
        reason: Why it was skipped.
        expected: Whether nobody would have it indexed, such as a picture beside documents.
        notes: What a person should know of it.
    """

    action: Action
    name: str
    file: str = ""
    document: str = ""
    count: int = 1
    reason: SourceError | None = None
    expected: bool = False
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class Summary:
    """What adding did.

    Attributes:
        added, replaced, unchanged, removed: Documents.
        skipped: What was passed over, and why.
        notes: What a person should know of documents that were read all the same.
        passages: Passages of the added and replaced documents.
        encoded: Different passages that had to be embedded; those with a known text were not.
        trouble: Why the passages have no vectors yet and are found by words only, or, where the disk is full, are
            stored and not yet found at all; ``None`` if all is well.
        seconds: Wall-clock time.
        seen: Ids of the documents that are now stored because of this run or were already.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Outcome] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    passages: int = 0
    encoded: int = 0
    trouble: ModelError | StorageError | None = None
    seconds: float = 0.0
    seen: set[str] = field(default_factory=set)

    @property
    def documents(self) -> int:
        """Documents that are now stored because of this run or were already."""
        return self.added + self.replaced + self.unchanged

    def count(self, outcome: Outcome) -> None:
        """Count what became of something."""
        match outcome.action:
            case "added":
                self.added += outcome.count
            case "replaced":
                self.replaced += outcome.count
            case "unchanged":
                self.unchanged += outcome.count
            case "removed":
                self.removed += outcome.count
            case "skipped":
                self.skipped.append(outcome)
        self.notes.extend(outcome.notes)


Each = Callable[[Outcome], None]


@dataclass(slots=True)
class FileOutcome:
    """What became of a file.

    Attributes:
        file: Its path.
        counts: How many of its documents each action was done with.
        skipped: What in it could not be read.
        notes: What a person should know of it.
    """

    file: str
    counts: dict[Action, int] = field(default_factory=dict)
    skipped: list[Outcome] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def action(self) -> Action:
        """What was done with it as a whole: ``replaced`` where some of it changed."""
        actions = [action for action in ("added", "replaced", "unchanged", "removed") if self.counts.get(action)]
        if not actions:
            return "skipped"
        return actions[0] if len(actions) == 1 else "replaced"  # type: ignore[return-value]

    def take(self, outcome: Outcome) -> None:
        """Count something of this file."""
        if outcome.action == "skipped":
            self.skipped.append(outcome)
        else:
            self.counts[outcome.action] = self.counts.get(outcome.action, 0) + outcome.count
        self.notes.extend(outcome.notes)


class ByFile:
    """Puts the outcomes of one run together by file, in constant memory: those of a file come one after another.

    Args:
        tell: Called with each file once all of it is known; ``close`` tells of the last.
    """

    def __init__(self, tell: Callable[[FileOutcome], None]) -> None:
        self._tell = tell
        self._present: FileOutcome | None = None

    def take(self, outcome: Outcome) -> None:
        """Take the next outcome."""
        file = outcome.file or outcome.name
        if self._present is not None and self._present.file != file:
            self.close()
        if self._present is None:
            self._present = FileOutcome(file)
        self._present.take(outcome)

    def close(self) -> None:
        """Tell of the last file."""
        if self._present is not None:
            self._tell(self._present)
            self._present = None


def ignore(outcome: Outcome) -> None:
    """Nobody wants to know."""
