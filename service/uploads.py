"""Files over HTTP: what a form sends is read as files on the disk are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask import Request

from index.ingest import Source, Unreadable, content_sources
from index.readers import Content
from service.answers import FileAnswer
from service.language import Language
from service.problems import FieldError
from service.schemas import UploadFields
from service.validation import check, message, refuse

_LONGEST_NAME = 150  # characters; a path of them in UTF-8 is shorter than what file systems and readers take
_FIELD = "file"
_IDS_SHOWN = 1_000


@dataclass(slots=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: The last part of the name it came with, without what cannot be seen.
        path: Where its bytes are.
        ids: Of the documents read from it.
        problems: What could not be read, and why.
        notes: What a person should know of what was read.
    """

    name: str
    path: Path
    ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def answer(self) -> FileAnswer:
        """What became of it."""
        return FileAnswer(
            name=self.name,
            documents=len(self.ids),
            ids=self.ids[:_IDS_SHOWN],
            problems=self.problems[:_IDS_SHOWN],
            notes=self.notes[:_IDS_SHOWN],
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


def sources(fields: UploadFields, uploads: Sequence[Upload], language: Language) -> Iterator[Source | Unreadable]:
    """The documents of the files, read as they are asked for; what became of each is noted in its ``Upload``."""
    for upload in uploads:
        # Under the same name in the same collection it is the same document. No file on the disk has such a path.
        name = "/".join(["upload", *filter(None, [fields.source.replace("/", "_")]), upload.name])
        content = Content(name, lambda path=upload.path: path.open("rb"))  # type: ignore[misc]
        for found in content_sources(content, collection=fields.source):
            if isinstance(found, Unreadable):
                upload.problems.append(found.reason.sentence(language).replace(name, upload.name))
                yield found
                continue
            document = found.document
            tags = tuple(dict.fromkeys((*document.tags, *fields.tags)))
            upload.ids.append(document.id)
            upload.notes += [note.sentence(language).replace(name, upload.name) for note in found.notes]
            yield replace(found, document=replace(document, tags=tags, date=document.date or fields.date))


def shown_name(sent: str) -> str:
    """The last part of a file's name as it can be shown and stored: no folders, no invisible characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", sent))[-1]
    name = "".join(char for char in last if not unicodedata.category(char).startswith(("C", "Z")) or char == " ")
    name = name.strip().strip(".").strip()
    if len(name) <= _LONGEST_NAME:
        return name
    suffixes = "".join(Path(name).suffixes[-2:])[-20:]
    return name[: _LONGEST_NAME - len(suffixes)] + suffixes
