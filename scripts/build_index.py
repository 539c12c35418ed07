"""Add or refresh files and folders: ``python -m scripts.build_index PATH... [--data DIR] [--model M] [--prune]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import SHOWN, Bars, add_model, parser, print_skipped, run

if TYPE_CHECKING:
    from index.document import Status

COLUMNS = ("id", "title", "text", "byline", "date", "url", "tags", "source")


def main(arguments: argparse.Namespace) -> int:
    """Index the paths; exit code 0 all good, 3 something was skipped or has no vectors, 2 nothing could be done."""
    from index.corpus import Corpus
    from index.errors import DataError
    from index.ingest import sources_of
    from index.readers import Columns

    columns = Columns(**{name: getattr(arguments, f"{name}_column") for name in COLUMNS})
    # The walk comes first, so that a PATH that cannot be used makes no archive; files are read once it is open.
    gone = [path for path in arguments.paths if arguments.prune and arguments.force and not path.expanduser().exists()]
    sources = sources_of(
        [path for path in arguments.paths if path not in gone],
        collection=arguments.source,
        columns=columns,
        known=lambda path: corpus.known_file(path),  # noqa: PLW0108 - opened below
    ) if len(gone) < len(arguments.paths) else iter(())
    corpus = Corpus.open(arguments.data, model=arguments.model, create=True)
    with Bars(arguments.lang) as progress:
        summary = corpus.add(sources, progress=progress)
    refused: DataError | None = None
    if arguments.prune:
        try:
            summary.removed += corpus.prune(arguments.paths, keep=summary.seen, force=arguments.force)
        except DataError as error:
            refused = error
    status = corpus.status()
    corpus.close()
    zh = arguments.lang == "zh"
    print_skipped(summary.skipped, arguments.lang)
    for note in summary.notes[:SHOWN]:
        print(("注意：" if zh else "Note: ") + note.sentence(arguments.lang), file=sys.stderr)
    if len(summary.notes) > SHOWN:
        more = len(summary.notes) - SHOWN
        print(f"……另有 {more} 条。" if zh else f"... and {more} more notes.", file=sys.stderr)
    counts = (summary.added, summary.replaced, summary.unchanged, summary.removed, len(summary.skipped))
    if zh:
        print("新增 {} 篇，更新 {} 篇，未变 {} 篇，删除 {} 篇，跳过 {} 项；".format(*counts), end="")
        print(f"新段落 {summary.passages} 个，计算向量 {summary.encoded} 个，用时 {summary.seconds:.1f} 秒。")
        print(f"索引共有 {status.documents} 篇文档、{status.passages} 个段落，位于 {status.data}。")
    else:
        print("Added {}, replaced {}, unchanged {}, removed {}, skipped {}; ".format(*counts), end="")
        print(f"{summary.passages} new passages, {summary.encoded} embedded, in {summary.seconds:.1f} s.")
        print(f"The index in {status.data} has {status.documents} documents, {status.passages} passages.")
    troubles = [trouble.sentence(arguments.lang) for trouble in (summary.trouble, refused) if trouble]
    if summary.trouble:
        troubles.insert(1, _by_words_only(status, zh))
    if troubles:
        print("\n".join(troubles), file=sys.stderr)
        return 3
    if not (summary.documents or summary.removed):
        return 2
    if all(unreadable.expected for unreadable in summary.skipped):
        return 0
    return 3


def _by_words_only(status: Status, zh: bool) -> str:
    command = f"python -m scripts.manage encode --data {status.data}"
    if zh:
        return f"{status.pending} 个段落还没有向量，目前只按字词查找；模型可用后请运行：{command}"
    return (
        f"{status.pending} passages have no vectors and are found by words only; "
        f"once the model can be had run: {command}"
    )


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("build_index", "Add or refresh files and folders.")
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, folders and archives")
    add_model(made)
    made.add_argument("--source", default="", help="name of the collection (default: the folder's or file's name)")
    made.add_argument("--prune", action="store_true", help="also remove documents whose files are gone from PATH")
    made.add_argument(
        "--force", action="store_true", help="with --prune: also where a PATH is gone or loses most of its documents"
    )
    columns = made.add_argument_group("columns of tables and fields of records (default: by their usual names)")
    for name in COLUMNS:
        columns.add_argument(f"--{name}-column", default="", metavar="NAME", help=f"which holds the {name}")
    return made


if __name__ == "__main__":
    run(main, arguments())
