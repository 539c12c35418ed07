"""Archives: .zip and .tar, read member by member as if they were folders. Nothing is unpacked to the disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from index.errors import SourceError
from index.readers.content import Content
from index.readers.encoding import decode
from index.readers.pages import Fault, Found

MEMBER = 64 << 20  # bytes of one member
ENTRIES = 100_000
RATIO = 200  # times that a member, or all of a packed tar, may grow when it is unpacked
_SMALL = 16 << 20  # bytes below which nobody asks
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)

# Reads a member, given how deep in archives it lies.
ReadMember = Callable[[Content], Iterator[Found]]


def read_zip(content: Content, read: ReadMember, wanted: Callable[[str], bool]) -> Iterator[Found]:
    """The members of a .zip.

    Args:
        read: Reads one member.
        wanted: Whether a member of this name is to be read.

    Raises:
        SourceError: It is damaged, or has too many members; what came before was given.
    """
    try:
        with content.stream() as stream, zipfile.ZipFile(stream) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_count(content.name, len(members))
            for info in members:
                yield from _zip_member(content.name, archive, info, read, wanted)
    except _BROKEN as error:
        raise _damaged(content.name, error) from error


def _zip_member(
    name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, read: ReadMember, wanted: Callable[[str], bool]
) -> Iterator[Found]:
    inner = info.filename
    if not info.flag_bits & 0x800:  # not marked as UTF-8: Chinese Windows writes its own encoding, read as CP437
        inner = decode(inner.encode("cp437", "replace")).text
    path = f"{name}/{inner}"
    if _is_hidden(inner) or not wanted(inner):
        return
    try:
        _check_path(path, inner)
        if info.flag_bits & 1:
            raise SourceError(f"{path} is locked with a password; unpack it first.", f"{path} 有密码保护；请先解压。")
        if info.file_size > MEMBER or (info.file_size > _SMALL and info.file_size > RATIO * info.compress_size):
            raise _too_large(path)
        with archive.open(info) as stream:
            raw = stream.read(MEMBER + 1)
        if len(raw) > MEMBER:
            raise _too_large(path)
        yield from read(Content.of_bytes(path, raw))
    except SourceError as error:
        yield Fault(path, error)
    except _BROKEN as error:
        yield Fault(path, _damaged(path, error))


def read_tar(content: Content, read: ReadMember, wanted: Callable[[str], bool]) -> Iterator[Found]:
    """The members of a .tar; see ``read_zip``."""
    try:
        with content.stream() as stream, tarfile.open(fileobj=stream, mode="r|", encoding="utf-8") as archive:
            for number, info in enumerate(archive, 1):
                _check_count(content.name, number)
                inner = decode(info.name.encode("utf-8", "surrogateescape")).text
                if not info.isreg() or _is_hidden(inner) or not wanted(inner):
                    continue
                yield from _tar_member(f"{content.name}/{inner}", inner, archive, info, read)
    except _BROKEN as error:
        raise _damaged(content.name, error) from error


def _tar_member(
    path: str, inner: str, archive: tarfile.TarFile, info: tarfile.TarInfo, read: ReadMember
) -> Iterator[Found]:
    try:
        _check_path(path, inner)
        if info.size > MEMBER:
            raise _too_large(path)
        stream = archive.extractfile(info)
        raw = stream.read(MEMBER) if stream is not None else b""
    except SourceError as error:
        yield Fault(path, error)
        return
    try:
        yield from read(Content.of_bytes(path, raw))
    except SourceError as error:
        yield Fault(path, error)


def _is_hidden(inner: str) -> bool:
    return any((part.startswith(".") and part not in {".", ".."}) or part == "__MACOSX" for part in inner.split("/"))


def _check_path(path: str, inner: str) -> None:
    if ".." in PurePosixPath(inner.replace("\\", "/")).parts or inner.startswith(("/", "\\")):
        raise SourceError(
            f"{path} was not read: its name leads out of the archive.", f"{path} 的路径指向压缩包之外，未读入。"
        )


def _check_count(name: str, count: int) -> None:
    if count > ENTRIES:
        raise SourceError(
            f"{name} holds more than {ENTRIES} files; unpack it and give the folder.",
            f"{name} 中超过 {ENTRIES} 个文件；请解压后给出文件夹。",
        )


def _too_large(path: str) -> SourceError:
    limit = MEMBER >> 20
    return SourceError(
        f"{path} unpacks to more than {limit} MiB, or more than {RATIO} times its size; unpack it first.",
        f"{path} 解压后超过 {limit} MiB，或超过压缩前的 {RATIO} 倍；请先解压。",
    )


def _damaged(name: str, error: Exception) -> SourceError:
    why = " ".join(str(error).split())[:120] or type(error).__name__
    return SourceError(f"{name} cannot be unpacked: {why}; it is damaged.", f"无法解压 {name}：{why}；文件已损坏。")
