"""Index and serve: what ``scripts/serve`` runs once everything is installed."""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import ROOT, Bars, add_model, add_reranker, parser, print_skipped, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from index.corpus import Corpus
    from index.errors import XunzhangError
    from index.ingest import Sources
    from index.outcomes import Summary
    from index.telling import Progress

_MENDING = (
    "索引损坏或缺失，正在重建；此间照常回答，缺少的部分由 degraded 说明。",
    "The indexes are damaged or missing and are made anew; searches are answered meanwhile, and `degraded` says what "
    "they lack.",
)
SAMPLE = ROOT / "index" / "sample"


def main(arguments: argparse.Namespace) -> int:
    """Index the paths, bring the index in step, serve until a signal comes."""
    if arguments.install:  # scripts/serve did it
        return 0
    from index.corpus import Corpus
    from index.errors import SettingError
    from index.following import Following
    from index.ingest import sources_of
    from index.reranking import RerankSettings
    from index.tuning import spare_the_collector
    from index.upkeep import Upkeep
    from service.app import create_app
    from service.logs import configure_logs
    from service.server import Server, serve
    from service.settings import MIB, Settings

    zh = arguments.lang == "zh"
    settings = Settings.from_environment(
        os.environ, host=arguments.host, port=arguments.port, threads=arguments.threads, open_reads=arguments.open_reads
    )
    if arguments.watch and not arguments.paths:
        raise SettingError(
            "--watch needs a PATH to watch; name a file or folder.", "--watch 缺少要监视的路径；请给出文件或文件夹。"
        )
    configure_logs(settings.log)
    faulthandler.enable()  # a signal that ends the process, as where a mapped file is cut short, is seen in the log
    sources = sources_of(
        arguments.paths,
        known=lambda path: corpus.known_file(path),  # noqa: PLW0108 - opened below
    ) if arguments.paths else None  # fmt: skip
    rerank = RerankSettings.from_environment(os.environ, arguments.reranker)
    corpus = Corpus.open(arguments.data, engine=arguments.engine, model=arguments.model, create=True, rerank=rerank,
                         answer_bytes=settings.cache_mb * MIB, processes=settings.processes)  # fmt: skip
    app = create_app(corpus, settings=settings)
    Server(app).close()  # a taken port or an unusable address is said now, not after an hour of indexing
    following = Following(corpus, arguments.paths, partial(_tell, arguments.lang)) if arguments.watch else None
    if sources is None and not corpus.status().documents:
        print("没有给出文件，先索引自带的样例。" if zh else "No files were given; indexing the bundled sample.")
        sources = sources_of([SAMPLE], collection="江岸日报（样例）")

    rest = _made_ready(corpus, sources, arguments.lang)
    _warm(corpus)
    spare_the_collector()
    status = corpus.status()
    counts = "{} 篇文档、{} 个段落" if zh else "{} documents, {} passages"
    counts = counts.format(status.documents, status.passages)

    def ready(url: str) -> None:
        print(f"寻章已就绪：{url}  （{counts}；按 Ctrl-C 结束）" if zh else
              f"Xunzhang is ready: {url}  ({counts}; Ctrl-C ends it)", flush=True)  # fmt: skip

    with Upkeep(corpus, first=rest), following or nullcontext():
        serve(app, ready=ready)
    corpus.close()
    return 0


def _made_ready(corpus: Corpus, sources: Sources | None, lang: str) -> Callable[[Progress], None] | None:
    """See that searches can be answered; returns what is to be done beside them, ``None`` where that is nothing."""
    if corpus.salvage():
        print(_MENDING[0 if lang == "zh" else 1], file=sys.stderr, flush=True)
        return partial(_mend, corpus, sources, lang)
    with Bars(lang) as progress:
        went_well = _bring_in_step(corpus, sources, lang, progress, whole=False)
    # What still waits for its vectors is found by words.
    return partial(_mend, corpus, None, lang) if went_well and corpus.status().pending else None


def _bring_in_step(
    corpus: Corpus, sources: Sources | None, lang: str, progress: Progress, *, whole: bool = True
) -> bool:
    """Add what is to be added, and finish what an earlier run left; unless ``whole``, without what a transformer takes
    long for. Returns whether all went well."""
    from index.errors import BusyError, ModelError, ModelMismatchError, StorageError

    try:
        if sources is not None:
            summary = corpus.add(sources, progress=progress, embed="soon")
            print_skipped(summary.skipped, lang)
    except (ModelError, StorageError) as error:  # as from a disk that can only be read, or where others alone may write
        if not corpus.status().ready:
            raise
        print(error.sentence(lang), file=sys.stderr, flush=True)
    try:
        corpus.catch_up(progress=progress, whole=whole)
    except (BusyError, ModelError, ModelMismatchError, StorageError) as error:  # searches are answered all the same
        print(error.sentence(lang), file=sys.stderr, flush=True)
        return False
    return True


def _mend(corpus: Corpus, sources: Sources | None, lang: str, ends: Progress) -> None:
    """The same while searches are answered already, with a bar where somebody sees it; what goes wrong ends nothing.

    Args:
        ends: Raises where the service ends.
    """
    from index.errors import XunzhangError
    from index.telling import silent

    with Bars(lang) if sys.stderr.isatty() else nullcontext(silent) as show:

        def progress(stage: str, done: int, total: int) -> None:
            ends(stage, done, total)
            show(stage, done, total)

        try:
            _bring_in_step(corpus, sources, lang, progress)
        except XunzhangError as error:
            print(error.sentence(lang), file=sys.stderr, flush=True)


def _tell(lang: str, came_to: Summary | XunzhangError) -> None:
    """Say on stderr what a change of the files came to."""
    if isinstance(came_to, Exception):
        print(came_to.sentence(lang), file=sys.stderr, flush=True)
        return
    print_skipped(came_to.skipped, lang)
    if came_to.trouble is not None:
        print(came_to.trouble.sentence(lang), file=sys.stderr, flush=True)
    if counts := (came_to.added, came_to.replaced) if came_to.added + came_to.replaced else ():
        print(("新增 {} 篇，更新 {} 篇。" if lang == "zh" else "Added {}, replaced {}.").format(*counts),
              file=sys.stderr, flush=True)  # fmt: skip


def _warm(corpus: Corpus) -> None:
    """Answer once before anybody asks, so that the first visitor does not wait for files to be read, and the
    reranker begins to be loaded."""
    from index.document import SearchRequest

    if corpus.status().ready:
        corpus.search(SearchRequest("你好 nihao"))  # what is spelt in letters reads the table of sounds too


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("server", "Index files and folders, and serve the search page and the API.")
    made.prog = "scripts/serve"
    made.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders (default: the sample)")
    add_model(made)
    add_reranker(made)
    made.add_argument("--watch", action="store_true", help="also add what changes in PATH while serving")
    made.add_argument("--host", help="address to listen on (default: XUNZHANG_HOST, or 127.0.0.1)")
    made.add_argument("--port", type=int, help="port, 0 for any free one (default: XUNZHANG_PORT, or 8000)")
    made.add_argument("--threads", type=int, help="worker threads (default: XUNZHANG_THREADS, or 16)")
    made.add_argument("--install", action="store_true", help="only install what the other options need")
    made.add_argument("--open-reads", action="store_true", default=None, help="let everybody read on a public address")
    return made


if __name__ == "__main__":
    run(main, arguments())
