"""What may be asked: the fields of searches, lists and documents, checked and described.

The same models check requests and describe them in /openapi.json. Each field is described in English and,
under ``x-description-zh``, in Chinese.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from index.document import SearchRequest, Sort
from index.request import MAXIMUM_QUERY
from service.fields import (
    Day,
    DayOrTime,
    Identifier,
    Label,
    Labels,
    Link,
    Prose,
    Query,
    Question,
    Title,
    about,
    first_day,
    last_day,
)

MOST_QUERIES = 50
MOST_RECORDS = 1000


def _also_q(schema: dict[str, Any]) -> None:
    """Describe ``q`` as the other name of ``query``."""
    properties = schema["properties"]
    properties["q"] = {
        "type": "string",
        "maxLength": MAXIMUM_QUERY,
        "description": "Another name for query.",
        "x-description-zh": "query 的另一个名称。",
    }
    schema.pop("required", None)
    schema["oneOf"] = [{"required": ["query"]}, {"required": ["q"]}]


class SearchFields(BaseModel):
    """The fields of one search, the same in a query string and in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_also_q)

    query: Annotated[
        Question,
        about(
            "What to look for. Parts in double quotes must occur exactly.",
            "要找什么。双引号中的部分必须原样出现。",
        ),
    ]
    mode: Annotated[
        Literal["hybrid", "dense", "lexical"],
        about(
            "hybrid: words and meaning; dense: meaning; lexical: words.",
            "hybrid：字词与语义；dense：语义；lexical：字词。",
        ),
    ] = "hybrid"
    limit: Annotated[int, about("How many hits.", "返回多少条。", ge=1, le=100)] = 10
    offset: Annotated[int, about("How many hits to skip.", "跳过多少条。", ge=0, le=1000)] = 0
    source: Annotated[
        Labels,
        about("Only passages of these sources; may be repeated.", "只要这些来源的段落；可重复。", default_factory=list),
    ]
    tag: Annotated[
        Labels,
        about(
            "Only documents with one of these tags; may be repeated.",
            "只要带有这些标签之一的文档；可重复。",
            default_factory=list,
        ),
    ]
    byline: Annotated[
        Labels,
        about(
            "Only documents whose byline holds this, such as an author's name; may be repeated.",
            "只要署名中含有此文字（如作者姓名）的文档；可重复。",
            default_factory=list,
        ),
    ]
    date_from: Annotated[
        Day,
        about(
            "Earliest date, inclusive: 2024-05-01, 2024-05 or 2024.",
            "最早日期（含）：2024-05-01、2024-05 或 2024。",
            alias="from",
        ),
    ] = ""
    date_to: Annotated[
        Day,
        about(
            "Latest date, inclusive: 2024-05-01, 2024-05 or 2024.",
            "最晚日期（含）：2024-05-01、2024-05 或 2024。",
            alias="to",
        ),
    ] = ""
    group: Annotated[
        Literal["", "document"] | None,
        about("document: only the best passage of each document.", "document：每个文档只取最好的一段。"),
    ] = ""
    sort: Annotated[
        Sort,
        about(
            "relevance; date: earliest first; -date: latest first. By date, hits less than half as good as the "
            "best are left out unless min_score is given.",
            "relevance：按相关度；date：由早到晚；-date：由晚到早。"
            "按日期排序且未给 min_score 时，得分不及最高分一半的结果不列出。",
        ),
    ] = "relevance"
    min_score: Annotated[
        float | None,
        about(
            "Drop hits below this score; without it the calibrated cut-off holds.",
            "舍去低于此分数的结果；不填则用校准好的阈值。",
            ge=0,
            le=1,
            allow_inf_nan=False,
        ),
    ] = None
    explain: Annotated[bool, about("Add the time of each stage as stages.", "在 stages 中给出各阶段的耗时。")] = False
    typing: Annotated[
        bool,
        about(
            "The query is still being typed: it does not count as asked, and is suggested to nobody.",
            "查询尚在输入中：不计为一次查询，也不会推荐给他人。",
        ),
    ] = False

    @model_validator(mode="before")
    @classmethod
    def _q_is_query(cls, data: object) -> object:
        if isinstance(data, dict) and "q" in data and "query" in data:
            raise PydanticCustomError("both_names", "q and query")
        if isinstance(data, dict) and "q" in data:
            return {"query" if name == "q" else name: value for name, value in data.items()}
        return data

    @model_validator(mode="after")
    def _dates_in_order(self) -> SearchFields:
        _check_order(self.date_from, self.date_to)
        return self

    def request(self) -> SearchRequest:
        """The library's own form of this search."""
        return SearchRequest(
            query=self.query,
            mode=self.mode,
            limit=self.limit,
            offset=self.offset,
            sources=tuple(self.source),
            tags=tuple(self.tag),
            bylines=tuple(self.byline),
            date_from=first_day(self.date_from),
            date_to=last_day(self.date_to),
            group=self.group == "document",
            sort=self.sort,
            min_score=self.min_score,
        )


def _check_order(earliest: str, latest: str) -> None:
    if earliest and latest and first_day(earliest) > last_day(latest):
        raise PydanticCustomError("from_after_to", "from lies after to")


class SearchBatch(BaseModel):
    """Several searches in one request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queries: Annotated[
        list[SearchFields],
        about("The searches, answered in order.", "要做的搜索，按顺序回答。", min_length=1, max_length=MOST_QUERIES),
    ]


class SimilarFields(BaseModel):
    """How many similar passages are wanted."""

    model_config = ConfigDict(extra="forbid", strict=True)

    limit: Annotated[int, about("How many passages.", "返回多少段。", ge=1, le=100)] = 10
    explain: Annotated[bool, about("Add the time of each stage as stages.", "在 stages 中给出各阶段的耗时。")] = False


class SuggestFields(BaseModel):
    """What has been typed so far."""

    model_config = ConfigDict(extra="forbid", strict=True)

    q: Annotated[
        Query,
        about(
            "What has been typed so far: Chinese, pinyin, initials, or a mixture.",
            "已输入的内容：汉字、拼音、拼音首字母，或几者混用。",
        ),
    ] = ""
    limit: Annotated[int, about("How many suggestions.", "返回多少条建议。", ge=1, le=20)] = 8


class ReadingFields(BaseModel):
    """What somebody who opens a document was looking for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    q: Annotated[
        Query,
        about("The query that led there; it stays in the box.", "由哪个查询而来；会留在搜索框中。"),
    ] = ""
    passage: Annotated[
        int | None,
        about(
            "Number of the passage in which the sentence that answers q is marked.",
            "段落序号：在此段中标出回答 q 的句子。",
            ge=0,
            le=999_999_999,
        ),
    ] = None


class ListFields(BaseModel):
    """Which documents to list."""

    model_config = ConfigDict(extra="forbid", strict=True)

    limit: Annotated[int, about("How many documents.", "返回多少个文档。", ge=1, le=500)] = 50
    offset: Annotated[int, about("How many documents to skip.", "跳过多少个文档。", ge=0, le=10_000_000)] = 0
    source: Annotated[Label, about("Only documents of this source.", "只要这个来源的文档。")] = ""
    q: Annotated[
        Label,
        about("Only documents with this text in their id, title or path.", "只要编号、标题或路径含有此文本的文档。"),
    ] = ""
    date_from: Annotated[Day, about("Earliest date, inclusive.", "最早日期（含）。", alias="from")] = ""
    date_to: Annotated[Day, about("Latest date, inclusive.", "最晚日期（含）。", alias="to")] = ""

    @model_validator(mode="after")
    def _dates_in_order(self) -> ListFields:
        _check_order(self.date_from, self.date_to)
        return self


class DocumentRecord(BaseModel):
    """A document to add or replace."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[
        Identifier | None,
        about(
            "Letters, digits and . _ : -, at most 128. Made from the content where it is missing.",
            "字母、数字和 . _ : -，最多 128 个；不填则由内容生成。",
        ),
    ] = None
    title: Annotated[Title, about("Headline.", "标题。")] = ""
    text: Annotated[
        Prose,
        about("The text; paragraphs are cut from it.", "正文；段落由此切分。", min_length=1),
    ]
    source: Annotated[Label, about("Where it comes from, for filters.", "来源，用于筛选。")] = ""
    byline: Annotated[Label, about("Author line.", "作者。")] = ""
    date: Annotated[
        DayOrTime,
        about("ISO 8601 date or date-time.", "ISO 8601 日期或日期时间。"),
    ] = ""
    url: Annotated[
        Link,
        about("Link to the original: http, https or relative.", "原文链接：http、https 或相对地址。"),
    ] = ""
    tags: Annotated[list[Label], about("Free labels.", "自由标签。", max_length=50, default_factory=list)]


class WriteFields(BaseModel):
    """How documents are to be written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    wait: Annotated[
        bool,
        about(
            "0: answer 202 with a job as soon as all has arrived; 1: answer when the documents can be found.",
            "0：收齐后立即返回 202 和任务；1：文档可以搜到时才返回。",
        ),
    ] = True


class UploadFields(BaseModel):
    """What a form says of the files it sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Annotated[Label, about("Source of their documents, for filters.", "文档来源，用于筛选。")] = ""
    date: Annotated[
        DayOrTime, about("ISO 8601 date of documents that give none.", "文档自身没有日期时所用的日期（ISO 8601）。")
    ] = ""
    tags: Annotated[
        list[Label], about("Labels of their documents; repeat the field.", "文档标签；可重复此字段。", max_length=50,
                           default_factory=list),
    ]  # fmt: skip


class DocumentRecords(RootModel[list[DocumentRecord]]):
    """Several documents to add or replace."""

    root: Annotated[list[DocumentRecord], Field(min_length=1, max_length=MOST_RECORDS)]
