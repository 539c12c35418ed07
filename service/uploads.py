"""Files over HTTP: what a form sends is read as files on the disk are."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask import Request

from index.ingest import Entry, Unreadable, content_sources
from index.readers import Content
from index.walk import UNSETTLED, FileDone, FileState
from service import sentences
from service.language import Language
from service.problems import FieldError, Problem
from service.schemas import UploadFields
from service.validation import check, message, refuse
from service.write_answers import FileAnswer

_LONGEST_NAME = 150  # characters; a path of them in UTF-8 is shorter than what file systems and readers take
_FIELD = "file"
MOST_TOLD = 1_000  # documents, problems and notes an answer lists one by one


@dataclass(slots=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: The last part of the name it came with, without what cannot be seen.
        path: Where its bytes are.
        documents: How many were read from it.
        ids: Of the first of them.
        problems: What could not be read, and why; the first of them.
        notes: What a person should know of what was read; the first of them.
        done: Whether it lies behind.
    """

    name: str
    path: Path
    documents: int = 0
    ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: bool = False

    def take(self, document_id: str, notes: Sequence[str]) -> None:
        """Count a document that was read from it."""
        self.documents += 1
        if len(self.ids) < MOST_TOLD:
            self.ids.append(document_id)
            self.notes += notes

    def answer(self) -> FileAnswer:
        """What became of it."""
        return FileAnswer(
            name=self.name,
            documents=self.documents,
            ids=self.ids,
            problems=self.problems,
            notes=self.notes,
        )


def received(request: Request, folder: Path, language: Language) -> tuple[UploadFields, list[Upload]]:
    """The fields and files of a form; the files are put into ``folder``.

    :raises Problem: 400 where a field is unusable, or there is no file; 413 where the request is too large.
    """
    form = request.form.to_dict(flat=False)
    values = {name: texts if name == "tags" else texts[-1] for name, texts in form.items()}
    fields = check(UploadFields, values, language)
    strange = sorted(set(request.files) - {_FIELD})
    if strange:
        refuse([FieldError(name, message("extra_forbidden", language)) for name in strange])
    uploads: list[Upload] = []
    for number, sent in enumerate(request.files.getlist(_FIELD)):
        name = shown_name(sent.filename or "")
        if not name:  # browsers send an empty part for a field without a file
            continue
        if name in {upload.name for upload in uploads}:
            refuse([FieldError(_FIELD, message("file_twice", language, name=name))])
        uploads.append(Upload(name, folder / str(number)))
        sent.save(uploads[-1].path)
    if not uploads:
        refuse([FieldError(_FIELD, message("missing", language))])
    return fields, uploads


def received_body(request: Request, folder: Path) -> Path:
    """The body as a file in ``folder``, however long it is.

    :raises Problem: 400 where it is empty; 413 where it is too large.
    """
    path = folder / "0"
    with path.open("wb") as file:
        shutil.copyfileobj(request.stream, file)
    if not path.stat().st_size:
        raise Problem(400, "bad-request", *sentences.BODY_EMPTY)
    return path


def prefix_of(fields: UploadFields) -> str:
    """What stands before the names of a form's files in the paths of their documents.

    Under the same name in the same collection it is the same document. No file on the disk has such a path.
    """
    # One part of a path for each collection, whatever its name: a slash must not make of it what another is called.
    source = fields.source.replace("%", "%25").replace("/", "%2F")
    return "/".join(["upload", *filter(None, [source]), ""])


def sources(fields: UploadFields, uploads: Sequence[Upload], language: Language) -> Iterator[Entry]:
    """The documents of the files, read as they are asked for; what became of each is noted in its ``Upload``.

    A file all of which could be read is followed by its ``FileDone``: documents that an earlier file of this name
    had, and this one has not, are removed.
    """
    prefix = prefix_of(fields)
    for upload in uploads:
        name = prefix + upload.name
        content = Content(name, lambda path=upload.path: path.open("rb"))  # type: ignore[misc]
        ids = set()
        for found in content_sources(content, collection=fields.source):
            if isinstance(found, Unreadable):
                if len(upload.problems) < MOST_TOLD:
                    upload.problems.append(found.reason.sentence(language).replace(prefix, ""))
                yield found
                continue
            document = found.document
            tags = tuple(dict.fromkeys((*document.tags, *fields.tags)))
            ids.add(document.id)
            upload.take(document.id, [note.sentence(language).replace(prefix, "") for note in found.notes])
            yield replace(found, document=replace(document, tags=tags, date=document.date or fields.date))
        if not upload.problems:
            state = FileState(name, UNSETTLED, b"", b"", len(ids))
            yield FileDone(state, frozenset(ids), unchanged=False, stale=True)
        upload.done = True


def shown_name(sent: str) -> str:
    """The last part of a file's name as it can be shown and stored: no folders, no invisible characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", sent))[-1]
    name = "".join(char for char in last if not unicodedata.category(char).startswith(("C", "Z")) or char == " ")
    name = name.strip().strip(".").strip()
    if len(name) <= _LONGEST_NAME:
        return name
    suffixes = "".join(Path(name).suffixes[-2:])[-20:]
    return name[: _LONGEST_NAME - len(suffixes)] + suffixes
