"""Which files there are, and whether they are still what they were when they were read."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from index.errors import DataError, SourceError
from index.readers.content import written

DATABASE = "xunzhang.sqlite3"  # tells a data directory from a folder of documents

# Coarsest clock of a common file system (FAT): a file changed as lately as this when it is looked at may change
# again without its times telling, which git calls racy.
_GRANULE_NS = 2_000_000_000


class Stamp(NamedTuple):
    """What tells without reading that a file did not change. ``ctime_ns`` moves also where a copy keeps its mtime."""

    size: int
    mtime_ns: int
    ctime_ns: int


# Documents below a path from which on losing over half of them at once looks like a missing disk.
_LARGE = 20

UNSETTLED = Stamp(-1, 0, 0)  # equals no file's


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when its documents were stored.

    Attributes:
        path: Absolute.
        stamp: Its size and times, ``UNSETTLED`` where they cannot be trusted.
        digest: 16 bytes of its content.
        options: 16 bytes of how it was read.
        documents: How many it held.
    """

    path: str
    stamp: Stamp
    digest: bytes
    options: bytes
    documents: int


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file all of whose documents were handed out before this, or that needs no reading.

    Attributes:
        state: What to record of it.
        ids: Ids of its documents.
        unchanged: Whether it was not read, because it is what it was.
        stale: Whether ``state`` differs from what is recorded.
    """

    state: FileState
    ids: frozenset[str]
    unchanged: bool
    stale: bool


# Gives what was recorded of the file with this path and the ids of its documents, if it can be relied upon.
Known = Callable[[str], tuple[FileState, frozenset[str]] | None]


def absolute(path: Path) -> Path:
    """The path from the root without ``~`` and ``..``, so that one file has one name however it was given."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - Path.absolute keeps the ".."


@dataclass(slots=True)
class Found:
    """What is below a folder, or a file itself.

    Attributes:
        files: In order of name.
        closed: Folders that could not be looked into, and why.
        links: Links to folders, which are not followed, as they may lead round in circles, and links to nothing.
    """

    files: list[Path]
    closed: dict[Path, OSError] = field(default_factory=dict)
    links: list[Path] = field(default_factory=list)

    def not_opened(self) -> Iterator[tuple[str, SourceError]]:
        """The closed folders, each with why its documents are not read."""
        for folder, error in sorted(self.closed.items()):
            name, why = written(folder), error.strerror or str(error)
            reason = SourceError(
                f"The folder {name} cannot be read: {why}; check its permissions. What was read from it before stays.",
                f"无法读取文件夹 {name}：{why}；请检查权限。以前从中读取的文档保留不变。",
            )
            yield name, reason

    def not_followed(self, folder: Path) -> Iterator[tuple[str, SourceError]]:
        """The links below the folder, all as one, if there are any."""
        if self.links:
            name, count, first = written(folder), len(self.links), written(self.links[0])
            reason = SourceError(
                f"{name} holds {count} links to folders or to nothing, such as {first}; they were passed over. "
                "To index a folder that is linked to, name it too.",
                f"{name} 中有 {count} 个指向文件夹或已失效的链接，例如 {first}，已略过；"
                "要索引所指的文件夹，请另外写出它的路径。",
            )
            yield f"{name}/", reason


def absolute_name(path: Path) -> str:
    """``absolute``, as documents' paths are written."""
    return written(absolute(path))


def files_in(path: Path) -> Found:
    """A file itself, or the files below a folder without hidden ones and data directories.

    Raises:
        SourceError: There is no such file or folder.
    """
    if not path.exists():
        name = written(path)
        raise SourceError(f"{name} does not exist; check the spelling.", f"{name} 不存在；请检查拼写。")
    if path.is_file():
        return Found([path])
    found = Found([])

    def note(error: OSError) -> None:
        found.closed[Path(error.filename)] = error

    for here, folders, files in os.walk(path, onerror=note):
        if DATABASE in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [Path(here, name) for name in files if not name.startswith(".")]
        found.files += [file for file in shown if file.is_file()]
        found.links += [
            link
            for link in (*shown, *(Path(here, name) for name in folders))
            if link.is_symlink() and not link.is_file()
        ]
    found.files.sort()
    return found


def no_documents(folder: Path, files: Iterable[Path]) -> Iterator[tuple[str, SourceError]]:
    """Files below a folder that are no documents, those of a kind as one."""
    name = written(folder)
    for suffix, count in sorted(Counter(written(Path(file.suffix)).lower() for file in files).items()):
        reason = SourceError(
            f"{name} holds {count} {suffix} files, which are no documents; they were passed over.",
            f"{name} 中有 {count} 个 {suffix} 文件，不是文档，已略过。",
        )
        yield f"{name}/*{suffix}", reason


def gone_from(below: Mapping[Path, Collection[str]], keep: Collection[str], *, force: bool) -> list[str]:
    """Ids of the documents below these paths that are not kept.

    Raises:
        DataError: A path would lose all its documents, or over half of many, and ``force`` is false.
    """
    gone: dict[str, None] = {}
    for path, ids in below.items():
        lost = [id_ for id_ in ids if id_ not in keep]
        many = len(lost) == len(ids) or (len(ids) >= _LARGE and 2 * len(lost) > len(ids))
        if lost and many and not force:
            raise DataError(
                f"{len(lost)} of {len(ids)} documents below {written(path)} would be removed, so none was; see that no "
                "disk or folder is missing, then prune with --force.",
                f"{written(path)} 下的 {len(ids)} 篇文档中有 {len(lost)} 篇将被删除，因此没有删除；"
                "请确认没有缺少磁盘或文件夹，再加 --force 清理。",
            )
        gone.update(dict.fromkeys(lost))
    return list(gone)


def stamp(file: Path) -> Stamp:
    """A file's present size and times.

    Raises:
        OSError: It cannot be looked at.
    """
    status = file.stat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def settled(seen: Stamp) -> Stamp:
    """The stamp, or ``UNSETTLED`` where the file changed so lately that its times may not tell of a next change."""
    return seen if max(seen.mtime_ns, seen.ctime_ns) < time.time_ns() - _GRANULE_NS else UNSETTLED


def content_digest(file: Path) -> bytes:
    """16 bytes that change with the file's content.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).digest()


def options_digest(options: Iterable[object]) -> bytes:
    """16 bytes that change with what a reader was told, and with the readers' own code: a new release reads anew."""
    return hashlib.blake2b(repr((_readers_digest(), *options)).encode(), digest_size=16).digest()


@cache
def _readers_digest() -> str:
    here = Path(__file__).parent
    files = [here / "ingest.py", *sorted((here / "readers").rglob("*.py"))]
    return hashlib.blake2b(b"\x00".join(file.read_bytes() for file in files)).hexdigest()
