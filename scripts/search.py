"""Search from the command line: ``python -m scripts.search QUERY [--mode M] [--limit N] [--json]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from scripts.common import add_reranker, parser, run

if TYPE_CHECKING:
    from index.document import Answer, Hit

_MISSING = {
    "dense": ("模型不可用，以下只按字词匹配。", "The model cannot be had; these match by words only."),
    "rerank": ("重排未能参与。", "The reranker took no part."),
    "dense-partial": (
        "部分段落的向量还在计算，它们暂时只按字词查找。",
        "Some passages are not embedded yet; words alone find those.",
    ),
    "rerank-partial": ("来不及重排全部候选。", "There was no time to rerank all candidates."),
}
_SENTENCE, _WORD, _PLAIN = "\x1b[33m", "\x1b[1;33m", "\x1b[0m"


def main(arguments: argparse.Namespace) -> int:
    """Print the hits; exit code 0 where there are any, 1 where nothing answers."""
    from index.corpus import Corpus
    from index.document import SearchRequest
    from index.errors import ModelError
    from index.reranking import RerankSettings

    rerank = RerankSettings.from_environment(os.environ, arguments.reranker)
    corpus = Corpus.open(arguments.data, engine=arguments.engine, rerank=rerank)
    if corpus.reranking is not None and arguments.mode == "hybrid":
        try:
            corpus.reranking.load()
        except ModelError as error:
            print(error.sentence(arguments.lang), file=sys.stderr)
    request = SearchRequest(
        arguments.query,
        mode=arguments.mode,
        limit=arguments.limit,
        offset=arguments.offset,
        sources=tuple(arguments.source),
        tags=tuple(arguments.tag),
        bylines=tuple(arguments.byline),
        date_from=arguments.date_from,
        date_to=arguments.date_to,
        group=arguments.group,
        sort=arguments.sort,
        min_score=arguments.min_score,
    )
    answer = corpus.search(request)
    corpus.close()
    if arguments.json:
        print(json.dumps(asdict(answer), ensure_ascii=False, indent=1))
    else:
        _print(answer, arguments.lang, first=arguments.offset + 1, colour=sys.stdout.isatty())
    return 0 if answer.hits else 1


def _print(answer: Answer, lang: str, *, first: int, colour: bool) -> None:
    zh = lang == "zh"
    for missing in answer.degraded:
        print(_MISSING[missing][0 if zh else 1], file=sys.stderr)
    if not answer.hits:
        print("没有找到能回答的段落。换个说法，或用 --min-score 0 看看最接近的。" if zh else
              "Nothing answers this. Try other words, or --min-score 0 for the nearest passages.")  # fmt: skip
        return
    for number, hit in enumerate(answer.hits, first):
        place = f"第 {hit.position.passage + 1} 段" if zh else f"passage {hit.position.passage + 1}"
        facts = "  ".join(filter(None, (hit.document.source, hit.document.date[:10], place, f"{hit.score:.2f}")))
        print(f"{number}. {hit.title}  [{facts}]")
        print("   " + _marked(hit, colour).replace("\n", "\n   "))
    least = "" if answer.total_is_exact else ("至少 " if zh else "at least ")
    print(f"{least}{answer.total} 个结果，{answer.took_ms:.0f} 毫秒" if zh else
          f"{least}{answer.total} results in {answer.took_ms:.0f} ms")  # fmt: skip


def _marked(hit: Hit, colour: bool) -> str:
    """The text with the answering sentence in colour, or between ⟦ and ⟧ where there is none."""
    out: list[str] = []
    inside = False
    for segment in hit.segments:
        if colour:
            shade = _WORD if segment.mark == "word" else _SENTENCE if segment.in_sentence else ""
            out.append(f"{shade}{segment.text}{_PLAIN}" if shade else segment.text)
            continue
        if segment.in_sentence != inside:
            out.append("⟦" if segment.in_sentence else "⟧")
            inside = segment.in_sentence
        out.append(segment.text)
    return "".join(out) + ("⟧" if inside else "")


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("search", "Search an index.")
    made.add_argument("query", metavar="QUERY", help='what to look for; parts in "quotes" must occur exactly')
    made.add_argument("--mode", choices=("hybrid", "dense", "lexical"), default="hybrid")
    add_reranker(made)
    made.add_argument("--limit", type=int, default=10, metavar="N")
    made.add_argument("--offset", type=int, default=0, metavar="N")
    made.add_argument("--source", action="append", default=[], help="only this collection (may be repeated)")
    made.add_argument("--tag", action="append", default=[], help="only documents with this tag (may be repeated)")
    made.add_argument("--byline", action="append", default=[], help="only documents by this author (may be repeated)")
    made.add_argument("--from", dest="date_from", default="", metavar="DATE", help="only from this date on")
    made.add_argument("--to", dest="date_to", default="", metavar="DATE", help="only up to this date")
    made.add_argument("--group", action="store_true", help="only the best passage of each document")
    orders = ("relevance", "date", "-date")
    made.add_argument("--sort", choices=orders, default="relevance", help="--sort=-date: the latest first")
    made.add_argument("--min-score", type=float, metavar="S", help="drop hits below this score, 0 to 1")
    made.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    return made


if __name__ == "__main__":
    run(main, arguments())
