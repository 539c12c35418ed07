"""Files and records -> sources: a document's facts with its decoded text.

Owns ids and which files are read; the walk over folders is ``walk``'s. Cutting into passages and
storing are the corpus's.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from index.dates import date_in_name, iso_date
from index.document import Document
from index.errors import SourceError
from index.readers import FORMATS, Columns, Content, Fault, Note, Page, Reading, Record, Row, read, supported
from index.readers.content import written
from index.walk import (
    FileDone,
    FileState,
    Known,
    absolute,
    content_digest,
    files_in,
    no_documents,
    options_digest,
    settled,
    stamp,
)

_log = logging.getLogger(__name__)

IDENTIFIER = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:\-]{1,128}")  # browsers take . and .. for steps in a path


@dataclass(frozen=True, slots=True)
class Source:
    """A document and its decoded text, as handed to ``Corpus.add``.

    Attributes:
        document: What is known of it; an empty title is filled from the text.
        pages: Its text, one entry a page; formats without pages have one entry with number ``None``.
        name: Title where neither the document nor its text gives one, such as a file's name.
        notes: What a person should know of it, such as how many bytes were damaged; no part of its content.
        file: The file it was read from; empty for a record that came from none.
    """

    document: Document
    pages: tuple[Page, ...]
    name: str = ""
    notes: tuple[Note, ...] = ()
    file: str = ""

    @property
    def text(self) -> str:
        """The whole decoded text, to which positions refer."""
        return "".join(page.text for page in self.pages)

    @property
    def digest(self) -> bytes:
        """16 bytes that change when anything of the document changes."""
        document = self.document
        facts = [document.source, document.title, document.byline, document.date, document.url, *document.tags]
        raw = json.dumps([facts, [[page.number, page.text] for page in self.pages]]).encode()
        return blake2b(raw, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or record that was passed over, and why.

    Attributes:
        name: The file's path, or a record's with its number.
        reason: What is wrong with it.
        expected: Whether nobody would have it indexed: pictures, programs and the like beside documents.
        file: The file it is in; empty where that is ``name``, or where there is none.
    """

    name: str
    reason: SourceError
    expected: bool = False
    file: str = ""


Entry = Source | Unreadable | FileDone  # what a walk over files comes upon


class Sources(Iterator[Entry]):
    """What is in files, read as it is asked for.

    Attributes:
        total: How many files there are.
        done: How many of them lie behind.
    """

    def __init__(
        self,
        files: Collection[tuple[Path, str]],
        read_file: Callable[[Path, str], Iterator[Entry]],
        foreign: Iterable[Unreadable] = (),
    ) -> None:
        self.total = len(files)
        self.done = 0
        self._found = self._walk(files, read_file, foreign)

    def __next__(self) -> Entry:
        return next(self._found)

    def _walk(
        self,
        files: Iterable[tuple[Path, str]],
        read_file: Callable[[Path, str], Iterator[Entry]],
        foreign: Iterable[Unreadable],
    ) -> Iterator[Entry]:
        for file, source in files:
            yield from read_file(file, source)
            self.done += 1
        yield from foreign


def sources_of(
    paths: Iterable[Path],
    *,
    collection: str = "",
    columns: Columns | None = None,
    known: Known | None = None,
    only: frozenset[Path] | None = None,
) -> Sources:
    """Everything readable in files and folders (walked in order of name), and what is not, read as it is asked for.

    With ``known``, files that are what they were are not read, and each file is followed by its ``FileDone``
    unless something in it could not be read.

    Args:
        paths: Files and folders. Hidden files and folders below a folder are passed over.
        collection: Source of every document; by default a folder's name for what is below it, the file's
            name for a file given itself, and for record files the record's own.
        columns: Which columns of tables and fields of records are which.
        known: What an earlier run recorded of a file, such as ``Corpus.known_file``.
        only: Files, and folders with all below them, without which the others are passed over; ``None`` for all.

    Raises:
        SourceError: A path does not exist, or nothing in any of them can be read by its kind (except with ``only``).
    """
    files: list[tuple[Path, str]] = []
    foreign: list[Unreadable] = []
    for path in map(absolute, paths):
        found = files_in(path)
        source = collection or written(Path(path.name if path.is_file() else path.resolve().name))
        within = [file for file in found.files if only is None or not only.isdisjoint((file, *file.parents))]
        files.extend((file, source) for file in within if file == path or supported(file))
        others = [file for file in within if file != path and not supported(file)]
        foreign.extend(Unreadable(*why, expected=True) for why in no_documents(path, others))
        if only is None:
            foreign.extend(Unreadable(*why) for why in found.not_opened())
            foreign.extend(Unreadable(*why, expected=True) for why in found.not_followed(path))
    if not files and only is None and all(one.expected for one in foreign):
        names = ", ".join(written(path) for path in paths)
        formats = " ".join(sorted(FORMATS))
        raise SourceError(
            f"There is no file to index in {names}; what is read is {formats}.",
            f"{names} 中没有可以索引的文件；支持 {formats}。",
        )
    if known is None:
        return Sources(files, lambda file, source: _read(file, source, columns), foreign)
    return Sources(files, lambda file, source: _read_changed(file, source, columns, known), foreign)


def _read_changed(file: Path, source: str, columns: Columns | None, known: Known) -> Iterator[Entry]:
    """A file's documents and then its ``FileDone``, or that alone where the file is what it was."""
    options = options_digest((source, columns or Columns()))
    path = written(file)
    try:
        before = stamp(file)
        stored = known(path)
        if stored is not None and (stored[0].stamp, stored[0].options) == (before, options):
            yield FileDone(*stored, unchanged=True, stale=False)
            return
        digest = content_digest(file)
    except OSError:
        yield from _read(file, source, columns)
        return
    if stored is not None and (stored[0].digest, stored[0].options) == (digest, options):
        state = replace(stored[0], stamp=settled(before))
        yield FileDone(state, stored[1], unchanged=True, stale=state != stored[0])
        return
    ids: set[str] = set()
    whole = True
    for found in _read(file, source, columns):
        whole = whole and isinstance(found, Source)
        if isinstance(found, Source):
            ids.add(found.document.id)
        yield found
    if whole and _still(file, before):
        state = FileState(path, settled(before), digest, options, len(ids))
        yield FileDone(state, frozenset(ids), unchanged=False, stale=True)


def _still(file: Path, before: object) -> bool:
    """Whether the file did not change while it was read."""
    try:
        return stamp(file) == before
    except OSError:
        return False


def _read(file: Path, source: str, columns: Columns | None) -> Iterator[Source | Unreadable]:
    return content_sources(Content.of_file(file), collection=source, columns=columns)


def content_sources(
    content: Content, *, collection: str = "", columns: Columns | None = None
) -> Iterator[Source | Unreadable]:
    """Every document in some content, and what in it cannot be read, read as it is asked for.

    Args:
        content: Its name gives the documents their ids and, where nothing else does, their titles.
        collection: Source of the documents, except of records that bring their own.
        columns: Which columns of tables and fields of records are which.
    """
    for found in _found_in(content, collection, columns):
        yield replace(found, file=content.name)


def _found_in(content: Content, collection: str, columns: Columns | None) -> Iterator[Source | Unreadable]:
    file = content.name
    try:
        for found in read(content, columns):
            yield _source(found, collection)
    except SourceError as error:
        yield Unreadable(file, error)
    except OSError as error:
        why = error.strerror or str(error)
        yield Unreadable(
            file,
            SourceError(
                f"{file} cannot be read: {why}; check its permissions.", f"无法读取 {file}：{why}；请检查权限。"
            ),
        )
    except Exception as error:  # whatever a file does to its reader, the others are read
        _log.debug("Reading %s failed", file, exc_info=True)
        why = type(error).__name__
        yield Unreadable(
            file,
            SourceError(
                f"{file} cannot be read: its reader failed with {why}; the file may be damaged.",
                f"无法读取 {file}：读取程序出错（{why}）；文件可能已损坏。",
            ),
        )


def _source(found: Reading | Row | Fault, source: str) -> Source | Unreadable:
    match found:
        case Fault():
            return Unreadable(found.name, found.reason)
        case Row():
            try:
                made = record_source(found.record, source=source, path=found.name, number=found.number)
            except SourceError as error:
                return Unreadable(f"{found.name}:{found.number}", error)
            return replace(made, notes=found.notes)
        case Reading():
            file = Path(found.name)
            facts = found.facts
            document = Document(
                file_id(file),
                source,
                facts.title,
                facts.byline,
                iso_date(facts.date) or date_in_name(file.name),
                _safe_url(facts.url),
                facts.tags,
                found.name,
            )
            return Source(document, found.pages, file.stem, found.notes)


def file_id(file: Path) -> str:
    """The id of a file's document: the same for the same path."""
    return "f" + blake2b(str(file).encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def record_source(record: Record, *, source: str, path: str = "", number: int = 0) -> Source:
    """A record of a .jsonl file or of an API call as a source.

    Known fields: ``id`` or ``_id``, ``text`` (``body``, ``content``), ``title``, ``source``, ``byline``
    (``author``), ``date``, ``url``, ``tags``. Others are ignored.

    Raises:
        SourceError: A field has the wrong type, the id is not an identifier, or there is no text.
    """
    where = f"{path}:{number}" if path else "record"
    text = _field(record, where, "text", "body", "content")
    if not text.strip():
        raise SourceError(f"{where}: the record has no text.", f"{where}：记录中没有正文。")
    raw_id = record.get("id", record.get("_id"))
    if raw_id is None:
        raw_id = "r" + blake2b(f"{path}\x00{text}".encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    identifier = str(raw_id)
    if not isinstance(raw_id, str | int) or isinstance(raw_id, bool) or not IDENTIFIER.fullmatch(identifier):
        raise SourceError(
            f"{where}: the id {identifier[:60]!r} must be 1 to 128 letters, digits or . _ : - characters.",
            f"{where}：id {identifier[:60]!r} 应为 1 至 128 个字母、数字或 . _ : - 。",
        )
    tags = record.get("tags", [])
    tags = [tags] if isinstance(tags, str) else tags
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise SourceError(f"{where}: tags must be a list of texts.", f"{where}：tags 应为文字列表。")
    document = Document(
        identifier,
        _field(record, where, "source") or source,
        _field(record, where, "title").strip(),
        _field(record, where, "byline", "author").strip(),
        iso_date(_field(record, where, "date")),
        _safe_url(_field(record, where, "url")),
        tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip())),
        path,
    )
    return Source(document, (Page(text),))


def _field(record: Record, where: str, *names: str) -> str:
    for name in names:
        value = record.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be stored
        if isinstance(value, int | float) and name == "date":
            return str(value)
        raise SourceError(f"{where}: {name} must be text.", f"{where}：{name} 应为文字。")
    return ""


def _safe_url(url: str) -> str:
    """The link if it is http, https or relative; anything else could run code in a page and is dropped."""
    url = "".join(filter(str.isprintable, url)).strip()  # browsers read java\nscript: as javascript:
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url)
    return url if scheme is None or scheme.group().lower() in {"http:", "https:"} else ""
