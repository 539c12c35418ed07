"""What is answered: the JSON shapes of the API.

The models are the truth for both the answers and their description in /openapi.json; shapes.py fills them
from the library's nouns.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from index.document import Mark, Mode
from service.fields import about


class Out(BaseModel):
    """Base of everything answered: nothing that is not described may leave."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SegmentOut(Out):
    """A stretch of a hit's text."""

    text: Annotated[str, about("The stretch.", "文本片段。")]
    mark: Annotated[
        Mark | None,
        about(
            "sentence: part of the sentence that answers; word: a word of the query; null: neither.",
            "sentence：回答查询的句子；word：与查询相符的字词；null：都不是。",
        ),
    ]
    in_sentence: Annotated[bool, about("Whether it belongs to the sentence that answers.", "是否属于回答查询的句子。")]


class ScoresOut(Out):
    """The parts of a score."""

    dense: Annotated[float | None, about("Closeness in meaning, 0..1.", "语义相近程度，0..1。")]
    lexical: Annotated[float | None, about("Agreement in words, 0..1.", "字词相符程度，0..1。")]
    interaction: Annotated[float | None, about("Word by word, 0..1.", "逐词比对得分，0..1。")]
    rerank: Annotated[
        float | None, about("What the reranker says, 0..1; null without one.", "重排模型的得分，0..1；未用时为 null。")
    ]


class ContextOut(Out):
    """The neighbouring passages' texts."""

    before: Annotated[str, about("Text before, or empty.", "上文，可为空。")]
    after: Annotated[str, about("Text after, or empty.", "下文，可为空。")]


class DocumentOut(Out):
    """What is known about a document."""

    id: Annotated[str, about("Its id.", "文档编号。")]
    title: Annotated[str, about("Headline, or empty.", "标题，可为空。")]
    source: Annotated[str, about("Where it comes from, or empty.", "来源，可为空。")]
    byline: Annotated[str, about("Author line, or empty.", "作者，可为空。")]
    date: Annotated[str, about("ISO 8601 date or date-time, or empty.", "ISO 8601 日期，可为空。")]
    url: Annotated[str, about("Link to the original, or empty.", "原文链接，可为空。")]
    tags: Annotated[list[str], about("Labels.", "标签。")]


class PositionOut(Out):
    """Where a passage stands in its document."""

    passage: Annotated[int, about("Number of the passage, from 0.", "段落序号，从 0 起。")]
    page: Annotated[
        int | None, about("Number of the page, from 1, where there are pages.", "页码，从 1 起；无页则为 null。")
    ]
    start: Annotated[int, about("First code point in the decoded original.", "在解码后原文中的起始码位。")]
    end: Annotated[int, about("Code point after the last.", "结束码位（不含）。")]


class PlaceOut(Out):
    """Another passage with the same text."""

    passage_id: Annotated[str, about("Id of that passage.", "该段落的编号。")]
    document_id: Annotated[str, about("Id of its document.", "所在文档的编号。")]
    title: Annotated[str, about("Its headline, or empty.", "标题，可为空。")]


class HitOut(Out):
    """One passage that answers."""

    passage_id: Annotated[str, about("Id of the passage.", "段落编号。")]
    score: Annotated[
        float, about("How well it answers, 0..1, comparable between queries.", "回答程度，0..1，各次查询之间可比。")
    ]
    scores: ScoresOut
    title: Annotated[str, about("Headline of the passage's own article.", "段落所属文章的标题。")]
    text: Annotated[str, about("The original text, untouched.", "原文，未作改动。")]
    segments: Annotated[list[SegmentOut], about("Concatenate to text.", "依次相连即为 text。")]
    context: ContextOut
    document: DocumentOut
    position: PositionOut
    also_in: Annotated[
        list[PlaceOut],
        about(
            "Up to 19 places where the same text, or one that differs little, stands too, whatever the filters.",
            "相同或相近文本的其他出处，至多 19 处，不受筛选条件限制。",
        ),
    ]


class FacetOut(Out):
    """How many of the matching passages carry a value."""

    value: Annotated[str, about("The value.", "取值。")]
    count: Annotated[int, about("Passages with it.", "段落数。")]


class FacetsOut(Out):
    """Counts by source, year, tag and byline, most frequent first."""

    source: list[FacetOut]
    year: list[FacetOut]
    tag: list[FacetOut]
    byline: list[FacetOut]


class SearchAnswer(Out):
    """The answer to one search."""

    query: Annotated[str, about("The query as understood.", "查询内容。")]
    mode: Annotated[Mode, about("How it was answered.", "检索方式。")]
    took_ms: Annotated[float, about("Milliseconds it took.", "耗时，毫秒。")]
    total: Annotated[int, about("Passages above the cut-off.", "达到阈值的段落数。")]
    total_is_exact: Annotated[bool, about("false: total is a lower bound.", "false 表示 total 是下限。")]
    model: Annotated[str, about("The embedding model.", "向量模型。")]
    generation: Annotated[int, about("Grows with every change of the index.", "索引的版次，每次变动递增。")]
    hits: Annotated[list[HitOut], about("Best first.", "按好坏排列。")]
    facets: FacetsOut
    suggestion: Annotated[str | None, about("A better spelling, if one was found.", "可能更好的写法。")]
    weak: Annotated[
        bool,
        about(
            "true: no hit is sure; these are the nearest passages, and may answer nothing.",
            "true：没有把握的结果；以下只是最接近的段落，未必回答了查询。",
        ),
    ]
    degraded: Annotated[
        list[str],
        about(
            "What could not take part: dense, or dense-partial where some passages are not embedded yet; rerank, or "
            "rerank-partial where time was short; indexes while damaged "
            "ones are made anew, and lexical where words are missing then.",
            "未能参与的部分：dense，部分段落的向量尚未算好时为 dense-partial；"
            "rerank，来不及全部重排时为 rerank-partial；损坏的索引正在重建时为 indexes，"
            "此时若缺少字词索引，另有 lexical。",
        ),
    ]
    stages: Annotated[
        dict[str, float] | None,
        about(
            "Milliseconds by stage, only when asked for.",
            "各阶段耗时（毫秒），仅在要求时给出。",
            exclude_if=lambda stages: stages is None,
        ),
    ] = None


class MatchOut(Out):
    """A stretch of a suggestion's text."""

    text: Annotated[str, about("The stretch.", "文本片段。")]
    mark: Annotated[Literal["match"] | None, about("match: goes with what was typed.", "match：与已输入的内容相符。")]


class SuggestionOut(Out):
    """What a query may become."""

    text: Annotated[str, about("The suggested query.", "建议的查询。")]
    kind: Annotated[
        Literal["title", "phrase", "query"],
        about(
            "title: a headline; phrase: a frequent phrase of the archive; query: what several visitors asked.",
            "title：标题；phrase：库中常见的短语；query：多位访客查过的内容。",
        ),
    ]
    segments: Annotated[list[MatchOut], about("Concatenate to text.", "依次相连即为 text。")]
    document_id: Annotated[str | None, about("Of a headline: its document.", "标题所属的文档。")]
    passage_id: Annotated[str | None, about("Of a headline: the first passage under it.", "标题下的第一个段落。")]


class SuggestAnswer(Out):
    """What a half-typed query may become."""

    query: Annotated[str, about("What was typed.", "已输入的内容。")]
    suggestions: Annotated[list[SuggestionOut], about("Best first.", "按好坏排列。")]
    took_ms: Annotated[float, about("Milliseconds it took.", "耗时，毫秒。")]


class BatchAnswer(Out):
    """The answers to several searches, in their order."""

    answers: list[SearchAnswer]


class PassageOut(Out):
    """One passage."""

    passage_id: Annotated[str, about("Id of the passage.", "段落编号。")]
    title: Annotated[str, about("Headline of the passage's own article.", "段落所属文章的标题。")]
    text: Annotated[str, about("The original text, untouched.", "原文，未作改动。")]
    context: ContextOut
    document: DocumentOut
    position: PositionOut


class DocumentFull(Out):
    """One document with its passages in order."""

    document: DocumentOut
    passages: list[PassageOut]


class DocumentList(Out):
    """A page of the list of documents, ordered by id."""

    documents: list[DocumentOut]
    total: Annotated[int, about("Documents in all.", "文档总数。")]
    limit: Annotated[int, about("Documents asked for.", "本页请求的个数。")]
    offset: Annotated[int, about("Documents skipped.", "跳过的个数。")]


class FieldErrorOut(Out):
    """What is wrong with one field."""

    field: Annotated[str, about("Its place, such as queries[2].limit.", "位置，例如 queries[2].limit。")]
    message: Annotated[str, about("What is wrong and what to do.", "问题与改法。")]


class ProblemOut(Out):
    """RFC 9457 problem details."""

    type: Annotated[str, about("A link to the kind's explanation.", "问题种类的说明链接。")]
    title: Annotated[str, about("The kind of problem.", "问题种类。")]
    status: Annotated[int, about("The HTTP status.", "HTTP 状态码。")]
    detail: Annotated[str, about("What happened, where, and what to do.", "发生了什么、在哪里、怎么办。")]
    instance: Annotated[str, about("The path asked for.", "请求的路径。")]
    errors: Annotated[
        list[FieldErrorOut], about("For unusable input, one entry for each field.", "输入无法使用时，每个字段一项。")
    ] = []
    request_id: Annotated[
        str,
        about("The request's name in the log; also X-Request-ID.", "请求在日志中的编号。"),
    ] = ""


class Health(Out):
    """Whether the process answers."""

    status: Literal["ok"]


class Ready(Out):
    """Whether searches can be answered, and over what."""

    status: Literal["ready"]
    documents: Annotated[int, about("Documents indexed.", "已索引的文档数。")]
    passages: Annotated[int, about("Passages indexed.", "已索引的段落数。")]
    generation: Annotated[int, about("Grows with every change of the index.", "索引的版次，每次变动递增。")]
    model: Annotated[str, about("The embedding model.", "向量模型。")]
    reranker: Annotated[str, about("The reranker, or empty.", "重排模型，可为空。")]
    reranker_state: Annotated[
        str,
        about(
            "none, waiting, loading, ready or failed; searches are answered in all of them.",
            "none、waiting、loading、ready 或 failed；各种状态下都能搜索。",
        ),
    ]


class IndexStatus(Out):
    """What the archive holds, for those who keep it."""

    documents: Annotated[int, about("Documents indexed.", "已索引的文档数。")]
    passages: Annotated[int, about("Passages indexed.", "已索引的段落数。")]
    pending: Annotated[
        int, about("Passages that wait for their vectors; words find them.", "等待向量的段落数；这些段落可按字词找到。")
    ]
    bytes: Annotated[int, about("Size of the data directory.", "数据目录占用的字节数。")]
    generation: Annotated[int, about("Grows with every change of the index.", "索引的版次，每次变动递增。")]
    ready: Annotated[bool, about("Whether searches can be answered.", "是否可以回答搜索。")]
    model: Annotated[str, about("The embedding model.", "向量模型。")]
    dimension: Annotated[int, about("Of its vectors.", "向量的维数。")]
    vector_index: Annotated[str, about("Kind of the vector index, or none.", "向量索引的种类，或 none。")]
    reranker: Annotated[str, about("The reranker, or empty.", "重排模型，可为空。")]
