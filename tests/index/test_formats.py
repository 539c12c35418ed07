"""Every format gives its text, and what it says of itself; what a file is counts, not what it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.ingest import Source, Unreadable, sources_of
from index.readers import Columns, Content
from index.readers.pdf import read_pdf, without_furniture
from tests.index.documents import PAGE, SENTENCE, docx, epub, pdf, read, source, xlsx, zipped


def refusal(tmp_path: Path, name: str, raw: bytes) -> str:
    (found,) = read(tmp_path, name, raw)
    assert isinstance(found, Unreadable), found
    assert found.reason.chinese.endswith("。")
    return found.reason.english


# Web pages


@pytest.mark.parametrize("name", ["bridge.html", "bridge.shtml", "bridge.txt", "bridge"])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-16"])  # whatever the page declares
def test_a_page_gives_its_article_and_what_it_says_of_itself(tmp_path: Path, name: str, encoding: str) -> None:
    found = source(tmp_path, name, PAGE.encode(encoding))
    assert SENTENCE in found.text
    assert "纪念牌" in found.text
    assert not [word for word in ("首页", "脚本", "color", "版权所有") if word in found.text]
    document = found.document
    assert (document.title, document.byline) == ("老石桥重新开放", "林汀")
    assert (document.date, document.url) == ("2021-06-01T08:30:00", "https://example.org/bridge.html")


def test_a_page_tells_its_facts_in_linked_data_or_its_title(tmp_path: Path) -> None:
    linked = {"@type": "NewsArticle", "headline": "桥", "datePublished": "2021-06-02", "author": [{"name": "甲"}]}
    script = f'<script type="application/ld+json">{json.dumps({"@graph": [linked]})}</script>'
    body = f"<body><p>{SENTENCE * 4}</p></body>"
    found = source(tmp_path, "a.html", f"<html><head>{script}</head>{body}</html>".encode())
    assert (found.document.title, found.document.byline, found.document.date) == ("桥", "甲", "2021-06-02")
    named = source(tmp_path, "b.html", f"<html><head><title>老桥_江岸新闻</title></head>{body}</html>".encode())
    assert named.document.title == "老桥"


def test_a_page_that_is_no_article_still_gives_its_text(tmp_path: Path) -> None:
    assert "石桥" in source(tmp_path, "a.html", "<html><body><div>石桥</div></body></html>".encode()).text


# PDF


def test_a_pdf_gives_its_pages_with_their_numbers(tmp_path: Path) -> None:
    raw = pdf(["江岸日报", SENTENCE], [], ["江岸日报", "修缮历时两年。", "3"], title="老石桥重新开放")
    found = source(tmp_path, "bridge.pdf", raw)
    assert [page.number for page in found.pages] == [1, 3]
    assert SENTENCE in found.pages[0].text
    assert found.document.title == "老石桥重新开放"
    assert "1 of 3 pages have no text" in found.notes[0].english


def test_a_passage_of_a_pdf_knows_its_page_also_when_it_is_cut_anew(archive: Corpus, tmp_path: Path) -> None:
    lines = [f"第{number}座老石桥昨天重新开放，修缮历时{number}个月，居民前来参观。" for number in range(70)]
    (tmp_path / "a.pdf").write_bytes(pdf(lines[:35], [], lines[35:]))
    (found,) = sources_of([tmp_path])
    assert isinstance(found, Source)
    archive.add([found])
    for _ in range(2):
        views = archive.document(found.document.id).passages
        assert [view.position.page for view in views] == [
            1 if view.position.start < len(found.pages[0].text) else 3 for view in views
        ]
        assert {view.position.page for view in views} == {1, 3}
        archive.rebuild()


def test_running_heads_and_page_numbers_are_dropped() -> None:
    pages = [f"江岸日报 第{at}版\n{word}的正文。\n{word}的结尾。\n· {at} ·" for at, word in enumerate("桥路河山")]
    assert without_furniture(pages)[1] == "路的正文。\n路的结尾。"
    assert without_furniture(["只有一页的标题\n正文"]) == ["只有一页的标题\n正文"]


@pytest.mark.parametrize("row", ["{} {} 81.{}", "{}年 产量{}万吨 增{}%", "{}"])
def test_the_rows_of_a_table_over_many_pages_are_no_running_heads(row: str) -> None:
    rows = [row.format(1950 + at, 300 + 7 * at, at % 10) for at in range(40)]
    pages = ["\n".join(rows[start : start + 8]) for start in range(0, 40, 8)]
    assert without_furniture(pages) == pages


def test_a_number_is_a_page_s_where_the_numbers_of_other_pages_go_with_it() -> None:
    pages = ["桥的正文。\n17", "18\n路的正文。\n1958", "河的正文。\n19", "20\n山的正文。", "结尾。\n— 21 —"]
    assert without_furniture(pages) == ["桥的正文。", "路的正文。\n1958", "河的正文。", "山的正文。", "结尾。"]


def test_of_a_pdf_with_too_many_pages_it_is_told_how_many_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.readers.pdf._PAGES", 2)
    (found,) = read_pdf(Content.of_bytes("a.pdf", pdf([SENTENCE], ["修缮历时两年。"], ["第三页的正文。"])))
    assert len(found.pages) == 2
    assert [note.english for note in found.notes] == ["a.pdf has 3 pages, of which the first 2 were read; split it."]


def test_a_pdf_that_is_called_otherwise_is_still_one(tmp_path: Path) -> None:
    assert SENTENCE in source(tmp_path, "bridge.txt", pdf([SENTENCE])).text


def test_a_title_that_a_program_wrote_is_none(tmp_path: Path) -> None:
    assert source(tmp_path, "bridge.pdf", pdf([SENTENCE], title="Microsoft Word - 文档1.doc")).document.title == ""
    assert source(tmp_path, "bridge.docx", docx(SENTENCE, title="PowerPoint 演示文稿")).document.title == ""


# Office documents and books


def test_a_docx_gives_paragraphs_tables_boxes_and_what_was_inserted(tmp_path: Path) -> None:
    body = """<w:tbl><w:tr><w:tc><w:p><w:r><w:t>甲</w:t></w:r></w:p></w:tc>
    <w:tc><w:p><w:r><w:t>乙</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
    <w:p><w:r><w:t>留</w:t></w:r><w:del><w:r><w:delText>删</w:delText></w:r></w:del>
    <w:ins><w:r><w:t>增</w:t></w:r></w:ins><w:smartTag><w:r><w:t>签</w:t></w:r></w:smartTag></w:p>
    <w:sdt><w:sdtContent><w:p><w:r><w:t>控</w:t><w:br/><w:t>件</w:t></w:r></w:p></w:sdtContent></w:sdt>
    <w:p><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>框</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>"""
    found = source(tmp_path, "a.docx", docx("首段", body=body, title="老石桥"))
    assert [line for line in found.text.split("\n") if line] == ["首段", "甲\t乙", "留增签", "控", "件", "框"]
    assert found.document.title == "老石桥"


def test_a_docx_s_readings_beside_characters_are_left_out(tmp_path: Path) -> None:
    run = "<w:r><w:t>{}</w:t></w:r>"
    ruby = f"<w:r><w:ruby><w:rt>{run}</w:rt><w:rubyBase>{run}</w:rubyBase></w:ruby></w:r>"
    body = f"<w:p>{ruby.format('běi', '北')}{ruby.format('jīng', '京')}<w:r><w:t>的桥</w:t></w:r></w:p>"
    assert source(tmp_path, "a.docx", docx(body=body)).text.strip() == "北京的桥"


def test_a_book_gives_its_chapters_in_order(tmp_path: Path) -> None:
    chapters = ("<h1>一</h1><p>桥</p>", "<p>路<ruby>字<rt>zì</rt></ruby></p>")
    raw = epub(*chapters, title="老石桥", author="林汀", date="2001")
    found = source(tmp_path, "a.epub", raw)
    assert found.text == "一\n桥\n\n路字"
    document = found.document
    assert (document.title, document.byline, document.date) == ("老石桥", "林汀", "2001")


def test_a_workbook_of_records_gives_one_document_a_row(tmp_path: Path) -> None:
    rows = [["标题", "正文", "日期", "标签"], ["桥", SENTENCE, "2021年6月1日", "城建；历史"], ["空", "", "", ""]]
    first, second = read(tmp_path, "a.xlsx", xlsx({"一": rows}))
    assert isinstance(first, Source)
    assert (first.document.title, first.document.date, first.document.tags) == ("桥", "2021-06-01", ("城建", "历史"))
    assert isinstance(second, Unreadable)
    assert "a.xlsx:3: the record has no text" in second.reason.english


def test_a_workbook_without_a_column_of_text_is_one_document_a_sheet(tmp_path: Path) -> None:
    found = read(tmp_path, "a.xlsx", xlsx({"一": [["甲", 1], ["乙", 2.5]], "二": [["丙", None, "丁"]]}))
    assert [one.text for one in found if isinstance(one, Source)] == ["甲\t1\n乙\t2.5", "丙\t\t丁"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_a_table_in_any_encoding_gives_records(tmp_path: Path, name: str, separator: str, encoding: str) -> None:
    lines = [["编号", "标题", "内容"], ["7", "桥", f'"{SENTENCE}\n第二行"'], ["8", "路", "新路通车。"]]
    raw = "\r\n".join(separator.join(line) for line in lines).encode(encoding)
    first, second = read(tmp_path, name, raw)
    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (first.document.id, first.document.title, first.text) == ("7", "桥", f"{SENTENCE}\n第二行")
    assert second.text == "新路通车。"


def test_columns_can_be_named(tmp_path: Path) -> None:
    columns = Columns(text="answer", title="question")
    (found,) = read(tmp_path, "a.csv", f"question,answer,text\n桥？,{SENTENCE},x".encode(), columns)
    assert isinstance(found, Source)
    assert (found.document.title, found.text) == ("桥？", SENTENCE)
    (found,) = read(tmp_path, "a.jsonl", json.dumps({"question": "桥？", "answer": SENTENCE}).encode(), columns)
    assert isinstance(found, Source)
    assert (found.document.title, found.text) == ("桥？", SENTENCE)
    (missing,) = read(tmp_path, "b.csv", "甲,乙\n1,2".encode(), columns)
    assert isinstance(missing, Unreadable)
    assert "has no column 'answer'; it has: 甲、乙" in missing.reason.english


# What is not read


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("scan.pdf", pdf([], []), "has 2 pages but no text, as scans have"),
        ("half.pdf", pdf([SENTENCE])[:60], "is a damaged PDF"),
        ("half.docx", docx(SENTENCE)[:-30], "is damaged, or not what its name says"),
        ("half.xlsx", xlsx({"一": [["甲"]]})[:-90], "is damaged, or not what its name says"),
        ("slides.pptx", zipped({"ppt/presentation.xml": "<p/>"}), "is a PowerPoint file, which is not read"),
        ("note.rtf", b"{\\rtf1 x}", "is an RTF document, which is not read; save it as .docx"),
        ("note.doc", b"{\\rtf1 x}", "is an RTF document"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is damaged, or not what its name says"),
        ("pack.7z", b"7z\xbc\xaf\x27\x1c" + bytes(20), "is a 7z archive; unpack it first"),
        ("photo.txt", b"\xff\xd8\xff\xe0" + bytes(20), "is a picture"),
        ("empty.docx", docx(), "is empty"),
        ("empty.html", b"<html><body></body></html>", "is empty"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, name: str, raw: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, name, raw)


# Markdown

MARKDOWN = f"""---
title: 老桥的故事
author: [林汀, 周岸]
date: 2021-06-01
url: https://example.org/bridge
tags: [桥, 修缮]
categories: 城建，桥
---

# 老石桥重新开放

经过**两年**修缮，城南的[老石桥](https://example.org/x)昨天
重新开放。`桥头`有 stone
*lions* 两座。

- {SENTENCE}

| 年份 | 费用 |
|---|---|
| 2019 | 三十万元 |

<div>附记<b>一则</b><script>alert(1)</script></div>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_markdown_is_read_without_its_marks(tmp_path: Path, encoding: str) -> None:
    found = source(tmp_path, "bridge.md", MARKDOWN.replace("\n", "\r\n").encode(encoding))
    assert "经过两年修缮，城南的老石桥昨天重新开放。桥头有 stone lions 两座。" in found.text
    assert f"\n{SENTENCE}\n" in found.text
    assert "年份\t费用\n2019\t三十万元" in found.text
    assert found.text.endswith("附记一则")
    assert not [mark for mark in ("**", "](", "`", "|", "#", "---", "alert") if mark in found.text]
    document = found.document
    assert (document.title, document.byline, document.date) == ("老桥的故事", "林汀、周岸", "2021-06-01")
    assert (document.url, document.tags) == ("https://example.org/bridge", ("桥", "修缮", "城建"))


@pytest.mark.parametrize(
    ("text", "title", "begins"),
    [
        ("# 老桥\n\n开放了。", "老桥", "老桥"),
        ("开放了。\n\n# 老桥\n\n又关了。", "", "开放了。"),
        ("---\n- 一\n- 二\n---\n开放了。", "", "一"),  # no fields: a list between two lines
        ("---\ntitle: [\n---\n开放了。", "", "title: ["),
        ("---\ntitle: !!python/object/apply:os.system [ls]\n---\n开放了。", "ls", "开放了。"),  # nothing is run
        ("---\ntitle: 3\ntags: {a: b}\n---\n开放了。", "3", "开放了。"),
        ("***\n开放了。", "", "开放了。"),
        ("<!-- 编者注 -->\n\n# 老桥\n\n开放了。<!-- 尾注 -->", "老桥", "老桥"),
    ],
)
def test_odd_front_matter_costs_no_text(tmp_path: Path, text: str, title: str, begins: str) -> None:
    found = source(tmp_path, "a.md", text.encode())
    assert found.document.title == title
    assert found.text.startswith(begins)
    assert "开放了。" in found.text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1949. 10月1日，大典。\n\n1950. 次年。", "1949. 10月1日，大典。\n\n1950. 次年。"),
        ("3) 修桥\n   - 采石\n4) 铺路\n\n   限期两年。", "3) 修桥\n\n采石\n\n4) 铺路\n\n限期两年。"),
        ('见注[1]。\n\n[1]: 江岸市令第7号 "附录"', '见注[1]。\n\n[1]: 江岸市令第7号 "附录"'),
        ("见[桥][1]。\n\n[1]: https://example.org/x", "见桥。"),
    ],
)
def test_what_only_looks_like_a_mark_of_markdown_stays(tmp_path: Path, text: str, read: str) -> None:
    assert source(tmp_path, "a.md", text.encode()).text == read
