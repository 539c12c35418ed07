"""Add or refresh files and folders: ``python -m scripts.build_index PATH... [--data DIR] [--model M] [--prune]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.common import Bars, add_model, parser, run
from scripts.summary import Report, by_words_only, print_totals

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
    with Report(arguments.report, arguments.lang) as report:
        corpus = Corpus.open(arguments.data, model=arguments.model, create=True)
        with Bars(arguments.lang) as progress:
            summary = corpus.add(sources, progress=progress, each=report.take)
        refused: DataError | None = None
        if arguments.prune:
            try:
                summary.removed += corpus.prune(
                    arguments.paths, keep=summary.seen, force=arguments.force, each=report.take
                )
            except DataError as error:
                refused = error
        status = corpus.status()
        corpus.close()
        report.print_table()
    print_totals(summary, status, arguments.lang)
    troubles = [trouble.sentence(arguments.lang) for trouble in (summary.trouble, refused) if trouble]
    if summary.trouble:
        troubles.insert(1, by_words_only(status, arguments.lang))
    if troubles:
        print("\n".join(troubles), file=sys.stderr)
        return 3
    if not (summary.documents or summary.removed):
        return 2
    if all(skipped.expected for skipped in summary.skipped):
        return 0
    return 3


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
    made.add_argument(
        "--report", type=Path, metavar="FILE", help="write what became of each file as a line of JSON into FILE"
    )
    columns = made.add_argument_group("columns of tables and fields of records (default: by their usual names)")
    for name in COLUMNS:
        columns.add_argument(f"--{name}-column", default="", metavar="NAME", help=f"which holds the {name}")
    return made


if __name__ == "__main__":
    run(main, arguments())
