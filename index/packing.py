"""The file of a backup: a tar archive that says what is in it and proves it.

    manifest.json         what the backup is of, and size and SHA-256 of each of the files that follow
    xunzhang.sqlite3      documents with their originals, passages and vectors
    adapted-0123abcd/...  the archive's own model, where it has one
    keys.json             files of the service, where they were asked for
    manifest.sha256       SHA-256 of manifest.json; comes last, so that a file cut short is known by its absence

Reading trusts nothing: members are taken by name from a short list, counted while they are read, and written by us.
``tar`` and ``sha256sum`` can read it without this program.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from index.errors import SourceError

FORMAT = 1
_MANIFEST, _SEAL = "manifest.json", "manifest.sha256"
_LARGEST_MANIFEST = 1 << 20
_BLOCK = 1 << 20
# Model files that hold numbers and texts; anything else, such as code or a pickle, is refused.
_MEMBER = re.compile(
    r"xunzhang\.sqlite3|[a-z]{1,32}\.json|adapted-[0-9a-f]{8}(/\w[\w.-]{0,63}){1,3}\.(json|safetensors|npy|txt|md)",
    re.ASCII,
)
# What tarfile and the decompressors under it raise on bytes that are none of theirs.
_UNREADABLE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, TypeError, KeyError)

# Told how many bytes are done, and how many there are in all.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Member:
    """Size in bytes and SHA-256 (hexadecimal) of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of.

    Attributes:
        created: UTC date-time in ISO 8601.
        model: Name of the embedding model.
        documents, passages: How many there are.
        files: The files by name.
    """

    created: str
    model: str
    documents: int
    passages: int
    files: Mapping[str, Member]
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(member.size for member in self.files.values())


def member_of(file: Path) -> Member:
    """Size and checksum of a file; reads all of it."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Member(size, digest.hexdigest())


def pack(target: Path, manifest: Manifest, sources: Mapping[str, Path], tell: Tell) -> None:
    """Write a backup and bring it to the disk.

    Args:
        target: The new file; compressed where ``named_packed`` says so.
        sources: Where each file of the manifest is.

    Raises:
        OSError: It cannot be written, or a source is no longer what the manifest says.
    """
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
    done = 0
    with _writer(target) as tar:
        _add(tar, _MANIFEST, len(text), io.BytesIO(text))
        for name, member in manifest.files.items():
            with sources[name].open("rb") as stream:
                _add(tar, name, member.size, stream)
            done += member.size
            tell(done, manifest.bytes)
        seal = hashlib.sha256(text).hexdigest().encode()
        _add(tar, _SEAL, len(seal), io.BytesIO(seal))


def named_packed(name: str) -> bool:
    """Whether a file of this name is compressed."""
    return name.endswith((".gz", ".tgz"))


def unpack(file: Path, folder: Path | None, wanted: Sequence[str], tell: Tell) -> Manifest:
    """Check a backup, byte for byte, and write its files into ``folder``.

    Args:
        folder: Empty; ``None`` only checks.
        wanted: Names of the service's files to be written too; others are checked and left out.

    Raises:
        SourceError: It is no backup, not whole, or not what its manifest says.
        OSError: ``folder`` cannot be written, or ``file`` not read.
    """
    file.stat()
    with _reading(file) as tar:
        text = _small(tar, _MANIFEST)
        manifest = _manifest(file, text)
        missing, done = dict(manifest.files), 0
        while missing:
            info = tar.next()
            member = missing.pop(info.name, None) if info is not None else None
            if info is None or member is None or not info.isreg() or info.size != member.size:
                raise _damaged(file, "it is not whole" if info is None else f"{info.name[:80]!r} does not belong there")
            ours = "/" in info.name or not info.name.endswith(".json") or info.name in wanted
            path = folder / info.name if folder is not None and ours else None
            for count in _copied(file, tar, info, member, path):
                tell(done + count, manifest.bytes)
            done += member.size
        if _small(tar, _SEAL) != hashlib.sha256(text).hexdigest().encode() or tar.next() is not None:
            raise _damaged(file, "its manifest was changed")
    return manifest


def _copied(
    file: Path, tar: tarfile.TarFile, info: tarfile.TarInfo, member: Member, path: Path | None
) -> Iterator[int]:
    """Read one member, and write it to ``path``; gives how many bytes are done."""
    stream = tar.extractfile(info)
    assert stream is not None
    digest, done = hashlib.sha256(), 0
    with _new_file(path) as write:
        while block := _block(file, stream):
            digest.update(block)
            done += len(block)
            write(block)
            yield done
    if done != member.size or digest.hexdigest() != member.sha256:
        raise _damaged(file, f"{info.name!r} has not the checksum it should have")


@contextmanager
def _new_file(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Writes into a new file, which is on the disk when the block ends; ``None`` forgets what is written."""
    if path is None:
        yield len
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only keys are secret; the rest takes the usual mode, so that another user may serve it.
    mode = 0o600 if path.suffix == ".json" and not path.parent.name.startswith("adapted-") else 0o666
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
        yield target.write
        target.flush()
        os.fsync(target.fileno())


def _block(file: Path, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_BLOCK)
    except _UNREADABLE as error:
        raise _damaged(file, str(error) or type(error).__name__) from error


@contextmanager
def _reading(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(file, "r|*")  # noqa: SIM115 - closed below
    except _UNREADABLE as error:
        raise SourceError(
            f"{file} is no backup: give a file that python -m scripts.manage backup has written.",
            f"{file} 不是备份文件：请给出由 python -m scripts.manage backup 写出的文件。",
        ) from error
    try:
        yield tar
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise _damaged(file, str(error) or type(error).__name__) from error
    finally:
        tar.close()


def _small(tar: tarfile.TarFile, name: str) -> bytes:
    info = tar.next()
    if info is None or info.name != name or not info.isreg() or info.size > _LARGEST_MANIFEST:
        raise tarfile.ReadError(f"{name} is missing")
    stream = tar.extractfile(info)
    assert stream is not None
    return stream.read()


def _manifest(file: Path, text: bytes) -> Manifest:
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise SourceError(
                f"The backup {file} has format {raw['format']!r}, this version reads format {FORMAT}: use the version "
                "of the program that wrote it.",
                f"备份 {file} 的格式是 {raw['format']!r}，本版本读格式 {FORMAT}：请用写出它的版本恢复。",
            )
        files = {name: Member(int(mark["size"]), str(mark["sha256"])) for name, mark in raw["files"].items()}
        counts = int(raw["documents"]), int(raw["passages"])
        manifest = Manifest(str(raw["created"]), str(raw["model"]), *counts, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(file, "its manifest cannot be read") from error
    refused = [name for name, member in files.items() if not _MEMBER.fullmatch(name) or member.size < 0]
    if refused or "xunzhang.sqlite3" not in files:
        raise _damaged(file, f"{refused[0][:80]!r} does not belong there" if refused else "it has no database")
    return manifest


def _add(tar: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, stream)


@contextmanager
def _writer(target: Path) -> Iterator[tarfile.TarFile]:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        # The lowest level: vectors and originals hardly get smaller, and the others take much longer.
        packed = gzip.GzipFile("", "wb", 1, file, mtime=0) if named_packed(target.name) else None
        with tarfile.open(fileobj=packed or file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            yield tar
        if packed is not None:
            packed.close()
        file.flush()
        os.fsync(file.fileno())


def _damaged(file: Path, reason: str) -> SourceError:
    return SourceError(
        f"The backup {file} is damaged: {reason.rstrip('.')}; restore another one.",
        f"备份 {file} 已损坏：{reason.rstrip('.')}；请改用其他备份。",
    )
