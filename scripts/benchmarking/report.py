"""What was measured, as tables for people; the same as JSON is made by each part's ``row``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.benchmarking import answers, indexing

_NAMES = {
    "encode": "encode the query",
    "vectors": "FAISS",
    "words": "Tantivy",
    "interaction": "late interaction",
    "fetch": "SQLite",
    "highlight": "mark 10 hits",
    "bare": "sum of the parts",
    "search": "Corpus.search",
    "http": "over HTTP",
    "again": "over HTTP, asked again",
    "decode": "read records",
    "tokenise": "cut tokens",
    "add": "Corpus.add",
}


def report(result: Mapping[str, Any]) -> str:
    """All tables of a result, in Markdown."""
    parts = [_machine(result)]
    if "answers" in result:
        parts.append(_answers(result["answers"]))
    if "indexing" in result:
        parts.append(_indexing(result["indexing"]))
    if result.get("growth"):
        parts.append(_growth(result["growth"]))
    if "backends" in result:
        parts.append(_backends(result["backends"]))
    if "peers" in result:
        parts.append(_peers(result["peers"]))
    if result.get("goals"):
        parts.append(_goals(result["goals"]))
    return "\n\n".join(parts)


def _machine(result: Mapping[str, Any]) -> str:
    found = result["machine"]
    return (
        f"{found['date']}, {found['cores']} cores of {found['processor']}, {found['memory_gb']} GB, "
        f"Python {found['python']}; documents of {result['material']}"
    )


def _answers(row: Mapping[str, Any]) -> str:
    times = row["ms"]
    lines = [(_NAMES[name], *_ms(times[name])) for name in (*answers.PARTS, "bare", *answers.WHOLES, answers.AGAIN)]
    ratios = [
        f"{_NAMES[name]} is {_ratio(row['ratio_to_bare'][name])} times the sum of its parts" for name in answers.WHOLES
    ]
    title = f"An answer, {row['passages']:,} passages, {row['queries']} queries, milliseconds:"
    return "\n".join([title, "", *_table(("", "p50", "p95"), lines), "", "; ".join(ratios) + "."])


def _indexing(row: Mapping[str, Any]) -> str:
    lines = [(_NAMES.get(name, name), f"{row['ms'][name]['median'] / 1000:.2f}") for name in (*indexing.PARTS, "add")]
    title = f"Indexing {row['documents']:,} documents, {row['passages']:,} passages, {row['rounds']} rounds, seconds:"
    share = row["bare_share"]
    last = (
        f"{row['passages_a_second']:,} passages a second; its bare parts are {100 * share['median']:.0f} % of it "
        f"({100 * share['p25']:.0f}–{100 * share['p75']:.0f})."
    )
    return "\n".join([title, "", *_table(("", "median"), lines), "", last])


def _growth(rows: Sequence[Mapping[str, Any]]) -> str:
    def line(name: str, of: Any) -> tuple[str, ...]:
        return (name, *(of(row) for row in rows))

    lines = [
        line("vectors", lambda row: row["vector_index"]),
        line("build, s", lambda row: f"{row['build_s']:.1f}"),
        line("add 1 %, s (share of the build)",
             lambda row: f"{row['add_1_percent_s']:.2f} ({100 * row['add_1_percent_of_build']:.1f} %)"),
        line("remove 1 %, s (share of the build)",
             lambda row: f"{row['remove_1_percent_s']:.2f} ({100 * row['remove_1_percent_of_build']:.1f} %)"),
        line("one document found, ms", lambda row: _ratio(row["add_one_ms"], 0)),
        line("one document gone, ms", lambda row: _ratio(row["remove_one_ms"], 0)),
        line("start, s", lambda row: f"{row['start_s']:.2f}"),
        line("memory, bytes a passage (own + mapped)", _memory),
        *(
            line(f"HTTP p50 / p95 / p99, ms, {clients} clients", lambda row, clients=clients: _tail(row, clients))
            for clients in rows[0]["http_ms"]
        ),
        *(
            line(f"searches a second, {clients} clients",
                 lambda row, clients=clients: f"{row['searches_a_second'][clients]:.0f}")
            for clients in rows[0]["http_ms"]
        ),
        line("recall@10 of the dense index", lambda row: f"{row['recall_at_10']:.4f}"),
    ]  # fmt: skip
    heads = ("passages", *(f"{row['passages']:,}" for row in rows))
    return "\n".join(["Growth:", "", *_table(heads, lines)])


def _backends(row: Mapping[str, Any]) -> str:
    lines = [
        (name, f"{found['passages_a_second']['median']:.1f}", _ratio(found["times_as_fast"]), *_ms(found["query_ms"]),
         f"{found['cosine']['mean']:.4f}", f"{found['cosine']['least']:.4f}", found["first_s"], found["again_s"])
        for name, found in row["of"].items()
    ]  # fmt: skip
    heads = (
        "",
        "passages a second",
        "x torch",
        "query p50, ms",
        "p95",
        "cosine, mean",
        "least",
        "first start, s",
        "then",
    )
    title = f"Backends of {row['model']}, {row['passages']:,} passages, {row['rounds']} rounds:"
    return "\n".join([title, "", *_table(heads, lines)])


def _peers(row: Mapping[str, Any]) -> str:
    """Searches a second with the ratio of ours to theirs, asked in the same way: over HTTP, or called."""
    counts = list(row["systems"][0]["ms"])
    lines = []
    for system in row["systems"]:
        beside = row["times_as_fast"].get(system["name"])
        speeds = [
            f"{system['a_second'][clients]['median']:.0f}" + (f" x {_ratio(beside[clients])}" if beside else "")
            for clients in counts
        ]
        p50s = (f"{system['ms'][clients]['median']:.1f}" for clients in counts)
        found = (f"{100 * system[figure]:.1f}" for figure in ("ndcg@10", "recall@10"))
        built = f"{system['build_s']:.1f}"
        lines.append((system["name"], system["does"], system["over"], built, *speeds, *p50s, *found))
    heads = (
        "", "search", "over", "build, s", *(f"searches a second, {clients} clients x ours is" for clients in counts),
        *(f"p50 ms, {clients}" for clients in counts), "nDCG@10", "recall@10",
    )  # fmt: skip
    title = f"Peers, {row['passages']:,} passages, {row['judged_queries']} judged queries:"
    notes = [f"- {system['name']}: {system['how']}." for system in row["systems"] if system["how"]]
    notes += [f"- {name} was left out: {why}" for name, why in row["skipped"].items()]
    return "\n".join([title, "", *_table(heads, lines), "", *notes])


def _goals(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        (row["what"], row["at"], row["goal"], f"{row['measured']:.4g}", "met" if row["met"] else "missed")
        for row in rows
    ]
    return "\n".join(["Goals:", "", *_table(("", "at", "goal", "measured", ""), lines)])


def _memory(row: Mapping[str, Any]) -> str:
    found = row["bytes_a_passage"]
    return f"{found['own']} + {found['mapped']}" if found else "unknown"


def _tail(row: Mapping[str, Any], clients: str) -> str:
    found = row["http_ms"][clients]
    return f"{found['median']:.1f} / {found['p95']:.1f} / {found['p99']:.1f}"


def _ms(spread: Mapping[str, float]) -> tuple[str, str]:
    return f"{spread['median']:.2f}", f"{spread['p95']:.2f}"


def _ratio(spread: Mapping[str, float], digits: int = 2) -> str:
    return f"{spread['median']:.{digits}f} ({spread['p25']:.{digits}f}–{spread['p75']:.{digits}f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table that is also read as plain text."""
    widths = [max(len(str(row[place])) for row in (heads, *rows)) for place in range(len(heads))]
    cells = [
        [str(cell).ljust(width) if place == 0 else str(cell).rjust(width)
         for place, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in (heads, *rows)
    ]  # fmt: skip
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in (cells[0], rule, *cells[1:]):
        yield "| " + " | ".join(row) + " |"
