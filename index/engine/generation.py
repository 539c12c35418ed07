"""Publishing derived indexes: immutable numbered folders, checksummed, made visible by one rename.

    generations/
        CURRENT              the number of the generation readers use
        00000012/            never changed once it is here
            manifest.json    what it covers, and size and checksum of each file

A generation is written under a temporary name, every file and folder is flushed to disk, the folder is
renamed, and only then CURRENT is replaced. A crash at any moment leaves the last complete generation.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG

FORMAT = 3
READABLE = (1, 2, FORMAT)  # these kept tokens and vectors in other ways, see ``columns``; nothing is made anew for it
_TEMPORARY = "writing-"


# What file systems say that know one name a file: exFAT, and many that are mounted over a network.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}


def taken_over(file: Path, into: Path) -> None:
    """Give a file of an earlier generation a name in a later one too; a copy where the file system knows no links.

    Raises:
        OSError: It can be neither linked nor copied.
    """
    try:
        os.link(file, into)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(file, into)


class DamagedError(Exception):
    """A generation's files are not what its manifest says; it has to be made again from the store."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """Size in bytes and checksum (BLAKE2b, 16 bytes, hexadecimal) of one file."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation covers.

    Attributes:
        revision: Of the store, when its rows were read.
        last_number: Highest passage number in the word index.
        base_last: Highest passage number the large segment covers; later ones are in the small segment.
        fingerprint, dimension: Of the embedding model.
        table: Fingerprint of the word table the token ids belong to.
    """

    generation: int
    revision: int
    last_number: int
    base_last: int
    fingerprint: str
    dimension: int
    table: str
    format: int = FORMAT
    files: dict[str, FileMark] = field(default_factory=dict)


class Generations:
    """The folder of generations of one data directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._current = folder / "CURRENT"

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever another generation becomes current; cheap enough to ask before every search."""
        try:
            status = self._current.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def path(self, generation: int) -> Path:
        """The folder of a generation."""
        return self.folder / f"{generation:08d}"

    def current(self) -> Manifest | None:
        """The manifest of the generation readers should use, ``None`` before the first.

        Raises:
            DamagedError: It is missing, unreadable, of another format, or a file has not the size it should have.
        """
        while True:
            before = self.stamp()
            try:
                return self._current_manifest()
            except DamagedError:
                if self.stamp() == before:  # else a writer published the next one and removed this one meanwhile
                    raise

    def _current_manifest(self) -> Manifest | None:
        try:
            number, digest = self._current.read_text(encoding="ascii").split()
            generation = int(number)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DamagedError(f"{self._current} is unreadable") from error
        manifest = self._manifest(generation, digest)
        for name, mark in manifest.files.items():
            file = self.path(generation) / name
            if _size(file) != mark.size:
                raise DamagedError(f"{file} is missing or has not the size it should have")
        return manifest

    def whole_folder(self, name: str) -> Path | None:
        """A folder of the current generation, where every file in it is what it should be, whatever else is damaged."""
        try:
            number, digest = self._current.read_text(encoding="ascii").split()
            manifest = self._manifest(int(number), digest)
        except (OSError, ValueError, DamagedError):
            return None
        folder = self.path(manifest.generation)
        marks = {file: mark for file, mark in manifest.files.items() if file.startswith(f"{name}/")}
        return folder / name if marks and all(_mark(folder / file) == mark for file, mark in marks.items()) else None

    def _manifest(self, generation: int, digest: str) -> Manifest:
        path = self.path(generation) / "manifest.json"
        mark = _mark(path)
        if mark is None or mark.digest != digest:
            raise DamagedError(f"{path} is missing or damaged")
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["files"] = {name: FileMark(**mark) for name, mark in raw["files"].items()}
            manifest = Manifest(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"{path} is unreadable") from error
        if manifest.format not in READABLE:
            raise DamagedError(f"{path} has format {manifest.format}, not {FORMAT}")
        return manifest

    def damaged_files(self, manifest: Manifest, names: Iterable[str] | None = None) -> list[Path]:
        """Files, of these or of all, whose content has not the checksum it should have; reads every byte of them."""
        folder = self.path(manifest.generation)
        wanted = manifest.files if names is None else {name: manifest.files[name] for name in names}
        return [folder / name for name, mark in wanted.items() if _mark(folder / name) != mark]

    def times(self, manifest: Manifest) -> dict[str, int]:
        """When each file was last written to, in nanoseconds; 0 for one that is gone."""
        folder = self.path(manifest.generation)
        return {name: _written(folder / name) for name in manifest.files}

    def publish(self, write: Callable[[int, Path], Manifest], previous: Manifest | None) -> Manifest:
        """Write the next generation and make it current.

        Args:
            write: Called with the number and an empty folder; returns the manifest without its files.
            previous: The generation whose files may have been hard-linked; their checksums are taken over.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        published = self.published()  # readers may be using it, even where nothing of it is taken over
        self._sweep(keep=published)
        taken = [int(path.name) for path in self.folder.iterdir() if path.name.isdigit()]
        generation = max([*taken, published or 0]) + 1
        folder = self.folder / f"{_TEMPORARY}{generation:08d}"
        folder.mkdir()
        draft = write(generation, folder)
        known = (
            {}
            if previous is None
            else {
                (file.stat().st_ino, mark.size): mark
                for name, mark in previous.files.items()
                if (file := self.path(previous.generation) / name).exists()
            }
        )
        files = {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            status = file.stat()
            mark = known.get((status.st_ino, status.st_size))
            if mark is None:
                _flush(file)
                mark = _mark(file)
                assert mark is not None
            files[file.relative_to(folder).as_posix()] = mark
        manifest = Manifest(**{**asdict(draft), "files": files})
        text = json.dumps(asdict(manifest), indent=1)
        _write(folder / "manifest.json", text)
        own = _mark(folder / "manifest.json")
        assert own is not None
        for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
            _flush(path)
        folder.rename(self.path(generation))
        _flush(self.folder)
        _write(self.folder / "CURRENT.new", f"{generation} {own.digest}\n")
        (self.folder / "CURRENT.new").replace(self._current)
        _flush(self.folder)
        self._sweep(keep=generation)
        return manifest

    def published(self) -> int | None:
        """The number in CURRENT, whatever became of that generation."""
        try:
            return int(self._current.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _sweep(self, keep: int | None) -> None:
        """Remove what crashes and older generations left; readers that have those files open keep them."""
        for path in self.folder.iterdir():
            if path.is_dir() and (keep is None or path.name != f"{keep:08d}"):
                shutil.rmtree(path, ignore_errors=True)


def _size(file: Path) -> int | None:
    """Bytes of a file, ``None`` where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size if S_ISREG(status.st_mode) else None


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _mark(file: Path) -> FileMark | None:
    digest = blake2b(digest_size=16)
    try:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return FileMark(file.stat().st_size, digest.hexdigest())
    except OSError:
        return None


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _flush(path)


def _flush(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
