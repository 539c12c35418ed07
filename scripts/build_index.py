"""Add or refresh files and folders: ``python -m scripts.build_index PATH... [--data DIR] [--prune] [--watch]``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from scripts.common import Bars, add_model, parser, run
from scripts.summary import Report, by_words_only, print_totals

if TYPE_CHECKING:
    from index.corpus import Corpus
    from index.ingest import Sources
    from index.walk import Known

WATCHING = {"zh": "正在监视改动；按 Ctrl-C 结束。", "en": "Watching for changes; Ctrl-C ends it."}
COLUMNS = ("id", "title", "text", "byline", "date", "url", "tags", "source")


def main(arguments: argparse.Namespace) -> int:
    """Index the paths; exit code 0 all good, 3 something was skipped or has no vectors, 2 nothing could be done or
    published."""
    from index.corpus import Corpus

    # The walk comes first, so that a PATH that cannot be used makes no archive; files are read once it is open.
    may_be_gone = arguments.prune and arguments.force and not arguments.watch
    paths = [path for path in arguments.paths if path.expanduser().exists() or not may_be_gone]
    sources = _sources(arguments, paths, lambda path: corpus.known_file(path)) if paths else None  # noqa: PLW0108
    with Report(arguments.report, arguments.lang) as report:
        corpus = Corpus.open(arguments.data, engine=arguments.engine, model=arguments.model, create=True)
        try:
            return (_follow if arguments.watch else _refresh)(arguments, corpus, sources, report)
        finally:
            corpus.close()


def _sources(
    arguments: argparse.Namespace, paths: list[Path], known: Known, only: frozenset[Path] | None = None
) -> Sources:
    from index.ingest import sources_of
    from index.readers import Columns

    columns = Columns(**{name: getattr(arguments, f"{name}_column") for name in COLUMNS})
    return sources_of(paths, collection=arguments.source, columns=columns, known=known, only=only)


def _refresh(
    arguments: argparse.Namespace, corpus: Corpus, sources: Sources | None, report: Report, *, prune: bool = True
) -> int:
    """Bring the archive in step with the sources, and say what that came to; returns the exit code."""
    from index.errors import DataError, StorageError

    with Bars(arguments.lang) as progress:
        summary = corpus.add(sources or (), progress=progress, each=report.take)
    refused: DataError | None = None
    if arguments.prune and prune:
        try:
            summary.removed += corpus.prune(arguments.paths, keep=summary.seen, force=arguments.force, each=report.take)
        except DataError as error:
            refused = error
    status = corpus.status()
    report.print_table()
    print_totals(summary, status, arguments.lang)
    sys.stdout.flush()
    troubles = [trouble.sentence(arguments.lang) for trouble in (summary.trouble, refused) if trouble]
    if summary.trouble and not isinstance(summary.trouble, StorageError):
        troubles.insert(1, by_words_only(status, arguments.lang))
    if troubles:
        print("\n".join(troubles), file=sys.stderr)
        return 2 if isinstance(summary.trouble, StorageError) else 3
    if not (summary.documents or summary.removed):
        return 2
    if all(skipped.expected for skipped in summary.skipped):
        return 0
    return 3


def _follow(arguments: argparse.Namespace, corpus: Corpus, _found_before: Sources | None, report: Report) -> int:
    """Index the paths, then what changes in them, until a signal comes.

    What was found before changes were told of is looked for again.
    """
    from index.errors import BusyError, InputError
    from index.following import changes

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    waiting: frozenset[Path] | None = None  # everything
    try:
        for batch in changes(arguments.paths, Event(), besides=corpus.data):
            if waiting is not None and not (waiting := waiting | batch):
                continue
            # What is gone shows only beside all that is there.
            whole = waiting is None or (arguments.prune and not all(path.exists() for path in waiting))
            try:
                sources = _sources(arguments, arguments.paths, corpus.known_file, None if whole else waiting)
                if whole or sources.total:
                    _refresh(arguments, corpus, sources, report, prune=whole)
            except BusyError as error:  # tried again with the next batch, which may be empty
                print(error.sentence(arguments.lang), file=sys.stderr, flush=True)
                continue
            except InputError as error:  # a path is gone; what comes back is told
                print(error.sentence(arguments.lang), file=sys.stderr, flush=True)
            if waiting is None:
                print(WATCHING[arguments.lang], flush=True)
            waiting = frozenset()
    except KeyboardInterrupt:
        pass
    return 0


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
    made.add_argument("--watch", action="store_true", help="go on with what changes in PATH, until Ctrl-C")
    made.add_argument(
        "--report", type=Path, metavar="FILE", help="write what became of each file as a line of JSON into FILE"
    )
    columns = made.add_argument_group("columns of tables and fields of records (default: by their usual names)")
    for name in COLUMNS:
        columns.add_argument(f"--{name}-column", default="", metavar="NAME", help=f"which holds the {name}")
    return made


if __name__ == "__main__":
    run(main, arguments())
