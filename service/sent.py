"""What is sent to be written: records, lines of records, or files. Each gives sources of documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from index.errors import SourceError
from index.ingest import Entry, Source, Unreadable, record_source
from index.readers import Content, Fault, Row
from index.readers.jsonl import read_jsonl
from service import sentences
from service.language import Language
from service.schemas import DocumentRecord, UploadFields
from service.uploads import Upload, prefix_of, sources
from service.validation import explained

BODY = "body"  # what a body of lines is called where one of its lines is named: body:3


class Sent(Protocol):
    """Something sent, whose documents can be read once."""

    @property
    def files(self) -> Sequence[Upload]:
        """The files, if it was files."""
        ...

    @property
    def prefix(self) -> str:
        """What stands before the names people know in the names documents are read under."""
        ...

    def sources(self, language: Language) -> Iterator[Entry]:
        """The documents, read as they are asked for; ``language`` is that of what is noted about files."""
        ...


@dataclass(frozen=True, slots=True)
class Records:
    """Records that were checked."""

    records: Sequence[DocumentRecord]
    files: Sequence[Upload] = ()
    prefix: str = ""

    def sources(self, _language: Language) -> Iterator[Source]:
        """The records as documents."""
        return map(_source, self.records)


@dataclass(frozen=True, slots=True)
class Lines:
    """A file with a record a line, none of which was looked at yet."""

    path: Path
    files: Sequence[Upload] = ()
    prefix: str = ""

    def sources(self, _language: Language) -> Iterator[Source | Unreadable]:
        """The records as documents, and the lines that are none."""
        nothing = True
        try:
            for found in read_jsonl(Content(BODY, lambda: self.path.open("rb"))):
                nothing = False
                yield Unreadable(found.name, found.reason) if isinstance(found, Fault) else _checked(found)
        except SourceError as error:  # not lines of records
            yield Unreadable(BODY, error)
            return
        if nothing:
            yield Unreadable(BODY, SourceError(*sentences.BODY_EMPTY))


@dataclass(frozen=True, slots=True)
class Files:
    """Files, and what the form that brought them says of them."""

    fields: UploadFields
    files: Sequence[Upload]

    @property
    def prefix(self) -> str:
        """Where documents of the form's collection seem to lie."""
        return prefix_of(self.fields)

    def sources(self, language: Language) -> Iterator[Entry]:
        """The documents of the files."""
        return sources(self.fields, self.files, language)


def _source(record: DocumentRecord) -> Source:
    return record_source(record.model_dump(exclude_none=True), source="")


def _checked(row: Row) -> Source | Unreadable:
    where = f"{row.name}:{row.number}"
    try:
        return _source(DocumentRecord.model_validate(row.record, strict=True))
    except ValidationError as error:
        english, chinese = explained(error)
        return Unreadable(where, SourceError(f"{where}: {english}", f"{where}：{chinese}"))
