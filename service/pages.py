"""The pages people read: the search page, passages like one, one document, and the files they are made of.

Everything works without JavaScript; static/page.js only exchanges parts of the page in place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from flask import Response, render_template, request, send_from_directory

from index.corpus import Corpus
from index.document import Answer, DocumentView
from service.citation import cite
from service.documents import checked_document_id
from service.language import Language, reader_language
from service.links import SearchLink
from service.operation import HTML, Operation, Routes
from service.passages import checked_passage_id
from service.problems import Problem
from service.rendering import text_lang
from service.schemas import ReadingFields, SearchFields
from service.searcher import Searcher
from service.texts import BOX_TEXTS, TEXTS
from service.validation import read_query

STATIC = Path(__file__).parent / "static"
BOX_TEXTS_FILE = "search-box-texts.js"
EXAMPLES = 4
# Titles shorter or longer than this make no good query.
EXAMPLE_LENGTH = range(4, 29)
# Offset and limit together, as the library has it.
FARTHEST = 1000


class Pages:
    """The routes of the pages.

    :param corpus: What is shown.
    :param searcher: Answers queries when it is a request's turn.
    """

    def __init__(self, corpus: Corpus, searcher: Searcher) -> None:
        self._corpus = corpus
        self._searcher = searcher

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("pages")
        routes.add(GET_PAGE, self.search)
        routes.add(GET_SIMILAR_PAGE, self.similar)
        routes.add(GET_DOCUMENT_PAGE, self.document)
        routes.add(GET_ADMIN, self.admin)
        routes.add(GET_DEMO, self.demo)
        routes.add(GET_STATIC, self.static)
        return routes

    def search(self) -> Response:
        """The start page, or with ``?q=`` the page of hits."""
        if not request.args.get("q", "").strip():
            return self._start()
        fields = read_query(request, SearchFields, reader_language())
        answer = self._searcher.search(fields.request(), typing=fields.typing)
        link = SearchLink.of(fields, asked_language())
        return _page("index.html", view="results", link=link, answer=answer, **_paging(fields, answer, link))

    def similar(self, passage_id: str) -> Response:
        """The passages that say something like one; ``q`` is the query that led there, and stays in the box."""
        fields = read_query(request, ReadingFields, reader_language())
        passage = self._corpus.passage(checked_passage_id(passage_id))
        answer = self._searcher.similar(passage_id, SearchLink().limit)
        link = SearchLink(q=fields.q, lang=asked_language())
        return _page("index.html", view="similar", link=link, passage=passage, answer=answer)

    def document(self, document_id: str) -> Response:
        """A document with all its passages; ``#p12`` is the passage with number 12.

        With ``q`` and ``passage`` the sentence that answers the query is marked in that passage.
        """
        fields = read_query(request, ReadingFields, reader_language())
        view = self._corpus.document(checked_document_id(document_id))
        asked = fields.passage if fields.q.strip() else None
        marked = {one: self._corpus.marks(id_, fields.q) for one, id_ in _numbered(view) if one == asked}
        if marked:
            self._searcher.meant(fields.q)
        link = SearchLink(q=fields.q, lang=asked_language())
        return _page(
            "document.html", view="document", link=link, document=view.document, passages=view.passages, marked=marked
        )

    def admin(self) -> Response:
        """The corner of those who keep the archive. The page holds nothing of it: its script asks, with their key."""
        return _page("admin.html", view="admin")

    def demo(self) -> Response:
        """The search box at work, and the lines that put it into another page."""
        return _page("demo.html", view="docs", address=request.host_url)

    def static(self, name: str) -> Response:
        """A style sheet, script or picture. Browsers ask each time whether it changed."""
        if name == BOX_TEXTS_FILE:
            script = f"export const TEXTS = {json.dumps(BOX_TEXTS, ensure_ascii=False)};\n"
            response = Response(script, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})
            response.add_etag()
            response.make_conditional(request)
            return response
        return send_from_directory(STATIC, name, max_age=0)

    def _start(self) -> Response:
        listed = self._corpus.documents(limit=40)
        titles = dict.fromkeys(document.title for document in listed.documents)
        # File names make poor queries, so titles with Chinese characters come first.
        usable = sorted((title for title in titles if len(title) in EXAMPLE_LENGTH), key=lambda t: text_lang(t) != "zh")
        link = SearchLink(lang=asked_language())
        return _page("index.html", view="home", link=link, documents=listed.total, examples=usable[:EXAMPLES])


def _numbered(view: DocumentView) -> Iterator[tuple[int, str]]:
    """The numbers and ids of a document's passages."""
    return ((passage.position.passage, passage.passage_id) for passage in view.passages)


def problem_page(problem: Problem) -> Response:
    """The page that tells a reader what went wrong, with the search box still there."""
    link = SearchLink(q=request.args.get("q", "").replace("\0", ""), lang=asked_language())
    again, searching = _same_address(asked_language()), request.path == "/" and bool(link.q)
    response = _page("index.html", view="problem", link=link, problem=problem, again=again, searching=searching)
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


def _page(template: str, *, view: str, **values: object) -> Response:
    language = reader_language()
    other: Language = "en" if language == "zh" else "zh"
    html = render_template(
        template,
        t=TEXTS[language],
        language=language,
        lang=asked_language(),
        other_language_link=_same_address(other),
        view=view,
        cite=partial(cite, language=language, today=date.today()),
        host=request.host_url.rstrip("/"),
        **values,
    )
    return Response(html, mimetype=HTML, headers={"Cache-Control": "no-cache"})


def _paging(fields: SearchFields, answer: Answer, link: SearchLink) -> dict[str, object]:
    end = fields.offset + len(answer.hits)
    # A total that is a lower bound may hide one more page behind a full one.
    more = end < answer.total or (not answer.total_is_exact and len(answer.hits) == fields.limit)
    previous = None
    if fields.offset:
        previous = link.to(offset=max(0, fields.offset - fields.limit))
    return {
        # A page that is not full has shown the last hit, so its count is exact whatever the engine knew.
        "exact": answer.total_is_exact or 0 < len(answer.hits) < fields.limit,
        "page_number": fields.offset // fields.limit + 1,
        "previous": previous,
        "next": link.to(offset=end) if more and answer.hits and end + fields.limit <= FARTHEST else None,
    }


def asked_language() -> str:
    """The language named in the address, or an empty string."""
    asked = request.args.get("lang", "")
    return asked if asked in TEXTS else ""


def _same_address(language: str) -> str:
    """The address of this page in a language, if one is given."""
    arguments = request.args.to_dict(flat=False)
    arguments["lang"] = [language] if language else []
    arguments.pop("typing", None)
    pairs = [(name, value) for name, values in arguments.items() for value in values]
    return f"{request.path}?{urlencode(pairs)}" if pairs else request.path


GET_PAGE = Operation(
    name="search_page",
    method="GET",
    rule="/",
    english="The search page; with q, the passages that answer it.",
    chinese="搜索页；带 q 参数时显示能回答它的段落。",
    # Even the start page shows titles from the index.
    access="read",
    line="search",
    query=SearchFields,
    answers=((200, None),),
    media=HTML,
    problems=(400, 401, 403, 409, 503),
)
GET_SIMILAR_PAGE = Operation(
    name="similar_page",
    method="GET",
    rule="/passages/<passage_id>/similar",
    english="The passages nearest in meaning to a passage, as a page.",
    chinese="以网页显示与某段意思最接近的段落。",
    access="read",
    query=ReadingFields,
    line="search",
    answers=((200, None),),
    media=HTML,
    problems=(400, 401, 403, 404, 409, 503),
)
GET_DOCUMENT_PAGE = Operation(
    name="document_page",
    method="GET",
    rule="/documents/<document_id>",
    english="A document with all its passages, as a page.",
    chinese="以网页显示一个文档的全部段落。",
    access="read",
    query=ReadingFields,
    answers=((200, None),),
    media=HTML,
    problems=(400, 401, 403, 404, 409),
)
GET_ADMIN = Operation(
    name="admin_page",
    method="GET",
    rule="/admin",
    english="The page on which documents are uploaded, listed and deleted; its script sends the key.",
    chinese="上传、查看、删除文档的管理页；密钥由页面脚本发送。",
    access="open",
    answers=((200, None),),
    media=HTML,
)
GET_DEMO = Operation(
    name="demo",
    method="GET",
    rule="/demo",
    english="The search box for other sites at work, with the lines to copy.",
    chinese="供其他网站使用的搜索框示例，附可复制的代码。",
    access="open",
    answers=((200, None),),
    media=HTML,
)
GET_STATIC = Operation(
    name="static",
    method="GET",
    rule="/static/<path:name>",
    english="Style sheets, scripts and pictures of the pages.",
    chinese="网页用到的样式、脚本与图片。",
    access="open",
    answers=((200, None), (304, None)),
    media="application/octet-stream",
    problems=(404,),
)
