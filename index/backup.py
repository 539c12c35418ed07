"""Backups of an archive: made while it is served and written, put back anywhere.

A backup holds what cannot be made again: documents, originals, passages, vectors, the archive's own model. It is of one
moment. Indexes are not in it; ``restore`` publishes them anew, so a backup does not depend on their format. The file
is described in packing.py.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from index.backends import GRAPHS
from index.corpus import Corpus
from index.engine.copying import damaged, faults_of, settle
from index.errors import BusyError, DataError, ModelError, ModelMismatchError, SourceError
from index.model_choice import ADAPTED
from index.packing import Manifest, member_of, pack, unpack
from index.telling import Progress, silent
from index.walk import DATABASE
from index.workplace import flush, workplace

MAKING, RESTORING = ".xunzhang-backup-", ".xunzhang-restore-"
ASIDE = "before-restore-"
# What is in an empty directory too: made by the file system, or to be used once and left.
_NOTHING = {"lost+found", "writer.lock"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What ``restore`` did.

    Attributes:
        manifest: What the backup says of itself.
        aside: Where the files are that were in the directory before, ``None`` if there were none.
        trouble: Why the archive is found by words only for now, such as a model that cannot be had; in English.
    """

    manifest: Manifest
    aside: Path | None
    trouble: str = ""


def back_up(
    corpus: Corpus,
    target: Path,
    *,
    extras: Sequence[str] = (),
    into: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> tuple[Path, Manifest]:
    """Write a backup of an archive, which others may read and write meanwhile.

    Needs twice its size on the disk of ``target`` for the time it takes.

    Args:
        target: The file, compressed where its name ends in ``.gz`` or ``.tgz``; in a folder it gets a name of the time.
        extras: Names of further files of the data directory that go into it, where they are there.
        into: ``target`` is meant as a folder, and made where it is missing.
        force: Replace a file of that name, once the new one is whole.

    Returns:
        Where it is, and what it holds.

    Raises:
        DataError: ``target`` is there already, the disk is full, or the archive is damaged; nothing was changed.
    """
    moment = datetime.now(UTC)
    target = target.expanduser().absolute()
    if into:
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)  # an archive is not everybody's
        except OSError as error:
            raise _unwritable(target, error) from error
    if target.is_dir():
        target /= f"xunzhang-{moment:%Y%m%dT%H%M%SZ}.tar"
    if target.exists() and not force:
        raise DataError(
            f"{target} is there already: choose another name, or replace it with --force.",
            f"{target} 已存在：请换一个名字，或用 --force 覆盖。",
        )
    try:
        with workplace(target.parent, MAKING) as place:
            copy = place / DATABASE
            progress("copy", 0, 1)
            corpus.copy_to(copy)
            if faults := faults_of(copy):
                raise damaged(corpus.data / DATABASE, faults[0])
            progress("copy", 1, 1)
            model, documents, passages = _facts(copy)
            sources = {DATABASE: copy, **_model_files(corpus.data, model)}
            sources |= {name: corpus.data / name for name in extras if (corpus.data / name).is_file()}
            files = {name: member_of(source) for name, source in sources.items()}
            created = moment.isoformat(timespec="seconds")
            manifest = Manifest(created, model, documents, passages, files)
            made = place / target.name
            pack(made, manifest, sources, _told(progress, "pack"))
            made.replace(target)
            flush(target.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    return target, manifest


def check(file: Path, *, progress: Progress = silent) -> Manifest:
    """Read a backup and compare every byte with its checksum, restoring nothing.

    Raises:
        SourceError: It is damaged, or no backup.
    """
    try:
        return unpack(file, None, (), _told(progress, "unpack"))
    except OSError as error:
        raise _unreadable(file, error) from error


def restore(
    file: Path,
    data: Path,
    *,
    extras: Sequence[str] = (),
    own: Sequence[str] = (),
    force: bool = False,
    progress: Progress = silent,
) -> Restored:
    """Put a backup into a data directory and publish its indexes.

    Until everything is unpacked, checked and published beside it, nothing that is in ``data`` is touched; then it is
    moved into a folder of its own there, never removed.

    Args:
        extras: Names of further files to be taken from the backup, where it has them.
        own: Names of files that belong to the directory and stay where they are, but for those in ``extras``.
        force: Go on where the directory is not empty.

    Raises:
        SourceError: The backup is damaged, or no backup; nothing was changed.
        DataError: The directory is not empty and ``force`` is false, or it cannot be written; nothing was changed.
        BusyError: A server or command has the archive in it open; nothing was changed.
    """
    data = data.expanduser().absolute()
    try:
        file.stat()
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise (_unreadable(file, error) if not file.exists() else _unwritable(data, error)) from error
    if not force and (there := _content(data, own)):
        raise DataError(
            f"{data} is not empty (it has {there[0].name}): choose another directory with --data, or move what is "
            "there aside with --force.",
            f"{data} 不是空目录（其中有 {there[0].name}）：请用 --data 另选目录，或用 --force 将原有内容移到一旁。",
        )
    try:
        with workplace(data, RESTORING) as place:
            manifest = _unpacked(file, place, extras, progress)
            trouble = _published(place, file, progress)
            aside = _exchange(data, place, [name for name in own if not (place / name).exists()])
    except OSError as error:
        raise _unwritable(data, error) from error
    return Restored(manifest, aside, trouble)


def _unpacked(file: Path, place: Path, extras: Sequence[str], progress: Progress) -> Manifest:
    # Said at once rather than after an hour: the indexes take about as much again as the vectors in the database.
    free, needed = shutil.disk_usage(place).free, file.stat().st_size
    if free < needed:
        raise OSError(28, f"{needed:,} bytes are needed at least, {free:,} are free")
    manifest = unpack(file, place, extras, _told(progress, "unpack"))
    if faults := faults_of(place / DATABASE):
        raise SourceError(
            f"The database in the backup {file} cannot be used: {faults[0]}; restore another one.",
            f"备份 {file} 中的数据库无法使用：{faults[0]}；请改用其他备份。",
        )
    return manifest


def _published(place: Path, file: Path, progress: Progress) -> str:
    """Publish the indexes and look whether all is well; returns what is the matter with the model."""
    trouble = ""
    with closing(Corpus.open(place)) as corpus:
        try:
            corpus.catch_up(progress=progress)
        except (ModelError, ModelMismatchError) as error:  # words find all the same
            trouble = str(error)
        problems = [problem for problem in corpus.verify() if "wait for their vectors" not in problem]
        if problems:
            raise SourceError(
                f"What is in the backup {file} does not fit together: {problems[0]}; restore another one.",
                f"备份 {file} 的内容互相不符：{problems[0]}；请改用其他备份。",
            )
    settle(place / DATABASE)
    return trouble


def _exchange(data: Path, place: Path, staying: Sequence[str]) -> Path | None:
    """Move what is in ``data`` aside, and what is in ``place`` into it, the database last: before it is there, the
    directory is no archive to anybody."""
    if (data / DATABASE).exists() and not settle(data / DATABASE):
        raise BusyError(
            f"A server or another command is using {data}: stop it, then restore again.",
            f"有服务或其他命令正在使用 {data}：请先停止它，再重新恢复。",
        )
    there = _content(data, staying)
    aside = data / f"{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}" if there else None
    try:
        if aside is not None:
            aside.mkdir()
            for path in sorted(there, key=lambda path: path.name != DATABASE):
                path.rename(aside / path.name)
            flush(data)
        for path in sorted(place.iterdir(), key=lambda path: path.name == DATABASE):
            if path.name not in _NOTHING:
                path.rename(data / path.name)
        flush(data)
    except OSError as error:
        where = aside or data
        raise DataError(
            f"{data} could not be exchanged: {error.strerror}; what was in it is in {where}. Restore again.",
            f"未能替换 {data} 中的内容：{error.strerror}；原有内容在 {where}。请重新恢复。",
        ) from error
    return aside


def _content(data: Path, staying: Sequence[str]) -> list[Path]:
    """What is in a directory, but for unfinished work, what was moved aside before, graphs, and what stays."""
    kept = {*_NOTHING, *staying, *(f"{name}.lock" for name in staying)}
    return sorted(
        path
        for path in data.iterdir()
        if path.name not in kept and not path.name.startswith((RESTORING, MAKING, ASIDE, GRAPHS))
    )


def _facts(database: Path) -> tuple[str, int, int]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        model = connection.execute("SELECT value FROM meta WHERE key = 'model'").fetchone()
        documents = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        passages = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
    return (str(model[0]) if model else ""), int(documents), int(passages)


def _model_files(data: Path, model: str) -> dict[str, Path]:
    """The files of the archive's own model, if it has one; other models are to be had where they came from."""
    if not ADAPTED.fullmatch(model):
        return {}
    return {file.relative_to(data).as_posix(): file for file in sorted((data / model).rglob("*")) if file.is_file()}


def _told(progress: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(stage, done, total)


def _unwritable(path: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(
        f"{path} cannot be written: {reason}; nothing was changed. Make room or choose another place.",
        f"无法写入 {path}：{reason}；没有改动任何内容。请腾出空间或另选位置。",
    )


def _unreadable(file: Path, error: OSError) -> SourceError:
    reason = error.strerror or str(error)
    return SourceError(
        f"The backup {file} cannot be read: {reason}; check its name and permissions.",
        f"无法读取备份 {file}：{reason}；请检查文件名和权限。",
    )
