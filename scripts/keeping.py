"""Backups and compacting: what ``scripts.manage`` does with an archive as a whole."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import Bars

if TYPE_CHECKING:
    from index.packing import Manifest

Does = Callable[[argparse.Namespace], int]


def add_actions(action: Callable[[str, Does], argparse.ArgumentParser]) -> None:
    """Add the commands to those of ``manage``."""
    made = action("backup", backup)
    # Kept as it was typed: a Path forgets the slash at the end.
    made.add_argument("file", metavar="FILE", help="new file, or a folder to put it in; FOLDER/ is made; .gz packs it")
    made.add_argument("--with-keys", action="store_true", help="put the API keys (their digests) into it too")
    made.add_argument("--force", action="store_true", help="replace a file of that name")
    put_back = action("restore", restore)
    put_back.add_argument("file", type=Path, metavar="FILE", help="a backup")
    put_back.add_argument("--with-keys", action="store_true", help="take its API keys too, if it has any")
    put_back.add_argument("--force", action="store_true", help="move aside what is in the data directory")
    put_back.add_argument("--check", action="store_true", help="only read it and compare its checksums")
    action("compact", compact)
    moved = action("migrate", migrate)
    moved.add_argument("--to", required=True, metavar="E", help="the engine to go to: local or milvus:...")
    moved.add_argument("--into", type=Path, metavar="DIR", help="data directory there (default: the same)")


def backup(arguments: argparse.Namespace) -> int:
    """Write documents, vectors and the archive's own model into one file, while others search and write."""
    from index.backup import back_up
    from index.corpus import Corpus
    from service.keys import FILE

    extras = [FILE] if arguments.with_keys else []
    with closing(Corpus.open(arguments.data, engine=arguments.engine)) as corpus, Bars(arguments.lang) as progress:
        target, manifest = back_up(
            corpus, Path(arguments.file), extras=extras, into=arguments.file.endswith("/"), force=arguments.force,
            progress=progress,
        )  # fmt: skip
    said = f"{target} ({_size(target.stat().st_size)}): {_counts(manifest, arguments.lang)}"
    print(f"已备份到 {said}" if arguments.lang == "zh" else f"Backed up to {said}")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Put a backup into the data directory, check it, and make its indexes anew."""
    from index.backup import check
    from index.backup import restore as put_back
    from index.errors import SettingError
    from service.keys import FILE

    zh = arguments.lang == "zh"
    if arguments.engine != "local" and not arguments.check:
        raise SettingError(
            "A backup is restored into a data directory: give --engine local, then run: python -m scripts.manage "
            f"migrate --to {arguments.engine}",
            "备份只能恢复到数据目录：请加 --engine local，然后运行：python -m scripts.manage migrate --to "
            f"{arguments.engine}",
        )
    with Bars(arguments.lang) as progress:
        if arguments.check:
            manifest = check(arguments.file, progress=progress)
        else:
            done = put_back(
                arguments.file, arguments.data, extras=[FILE] if arguments.with_keys else [], own=[FILE],
                force=arguments.force, progress=progress,
            )  # fmt: skip
            manifest = done.manifest
    made, counts = manifest.created, _counts(manifest, arguments.lang)
    if arguments.check:
        print(f"{made} 的备份完好：{counts}" if zh else f"The backup of {made} is whole: {counts}")
        return 0
    print(f"已恢复 {made} 的备份：{counts}" if zh else f"Restored the backup of {made}: {counts}")
    if done.aside is not None:
        print(f"原有内容已移至 {done.aside}" if zh else f"What was there before is in {done.aside}")
    if done.trouble:
        print(done.trouble, file=sys.stderr)
    return 0


def compact(arguments: argparse.Namespace) -> int:
    """Give back the room of what was removed, and put the indexes into one piece."""
    from index.compacting import compact as make_small
    from index.corpus import Corpus

    zh = arguments.lang == "zh"
    with closing(Corpus.open(arguments.data, engine=arguments.engine)) as corpus, Bars(arguments.lang) as progress:
        done = make_small(corpus, progress=progress)
    freed, now = _size(max(0, done.before - done.after)), _size(done.after)
    print(f"已释放 {freed}，现为 {now}。" if zh else f"Freed {freed}; the data directory has {now} now.")
    for copy in done.removed:
        print(f"已删除升级时留下的副本 {copy}" if zh else f"Removed {copy}, the copy an upgrade had left")
    for folder in done.kept:
        print(f"保留了恢复时移开的 {folder}，不再需要时可自行删除。" if zh else
              f"Kept {folder}, which a restore had moved aside: remove it when you no longer need it.")  # fmt: skip
    return 0


def migrate(arguments: argparse.Namespace) -> int:
    """Carry the archive into another engine, embedding nothing again; the old one stays as it is."""
    from index.moving import move

    with Bars(arguments.lang) as progress:
        done = move(arguments.data, arguments.engine, arguments.to, into=arguments.into, progress=progress)
    counts = (done.documents, done.passages, done.engine, arguments.to)
    if arguments.lang == "zh":
        print("已搬移 {} 篇文档、{} 个段落到 {}；今后请设 XUNZHANG_ENGINE={}。".format(*counts))
    else:
        print("Moved {} documents, {} passages to {}; from now on set XUNZHANG_ENGINE={}.".format(*counts))
    return 0


def _counts(manifest: Manifest, lang: str) -> str:
    if lang == "zh":
        return f"{manifest.documents} 篇文档、{manifest.passages} 个段落，模型 {manifest.model}。"
    return f"{manifest.documents} documents, {manifest.passages} passages, model {manifest.model}."


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
