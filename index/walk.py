"""Which files there are, and whether they are still what they were when they were read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from index.errors import DataError, SourceError

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


def files_in(path: Path, collection: str) -> list[tuple[Path, str]]:
    """A file itself, or the files below a folder in order of name, each with its source.

    Hidden files are left out, and so are data directories.

    Raises:
        SourceError: There is no such file or folder.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the spelling.", f"{path} 不存在；请检查拼写。")
    if path.is_file():
        return [(path, collection or path.name)]
    source = collection or path.resolve().name
    return [(file, source) for file in sorted(_below(path))]


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder, without hidden ones and without data directories."""
    for here, folders, files in os.walk(folder):
        if DATABASE in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (file for name in files if not name.startswith(".") and (file := Path(here, name)).is_file())


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
                f"{len(lost)} of {len(ids)} documents below {path} would be removed, so none was; see that no disk or "
                "folder is missing, then prune with --force.",
                f"{path} 下的 {len(ids)} 篇文档中有 {len(lost)} 篇将被删除，因此没有删除；"
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
