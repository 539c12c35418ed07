"""Small real files of each format, made for the tests."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import openpyxl

from index.ingest import Source, Unreadable, sources_of
from index.readers import Columns

SENTENCE = "城南的老石桥昨天重新开放。"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

PAGE = f"""<!DOCTYPE html><html><head><meta charset="gb2312"><title>老石桥重新开放_江岸网</title>
<meta property="og:title" content="老石桥重新开放"><meta name="author" content="林汀">
<meta property="article:published_time" content="2021-06-01T08:30:00+08:00">
<link rel="canonical" href="https://example.org/bridge.html">
<script>var x = "脚本";</script><style>.a {{ color: red }}</style></head>
<body><nav><ul><li><a href="/">首页</a></li><li><a href="/news">新闻</a></li></ul></nav>
<article><h1>老石桥重新开放</h1>
<p>{SENTENCE * 3}</p><p>修缮工程历时两年，共投入资金三百万元，附近居民纷纷前来参观。</p>
<p>市政部门表示，今后将继续加强对老桥的保护，并在桥头设立纪念牌。</p></article>
<footer>版权所有 江岸网 京ICP备00000000号</footer></body></html>"""


def read(tmp_path: Path, name: str, raw: bytes, columns: Columns | None = None) -> list[Source | Unreadable]:
    """What is found in a file of these bytes."""
    file = tmp_path / name
    file.write_bytes(raw)
    return list(sources_of([file], columns=columns))


def source(tmp_path: Path, name: str, raw: bytes) -> Source:
    """The one document in a file of these bytes."""
    (found,) = read(tmp_path, name, raw)
    assert isinstance(found, Source), found
    return found


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return raw.getvalue()


def tarred(parts: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:
        for name, content in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def docx(*paragraphs: str, body: str = "", title: str = "") -> bytes:
    """A DOCX of the paragraphs, then of XML."""
    written = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    core = '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    core += f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></cp:coreProperties>'
    main = f"<w:document {_W}><w:body>{written}{body}</w:body></w:document>"
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": main, "docProps/core.xml": core})


def epub(*chapters: str, title: str = "", author: str = "", date: str = "") -> bytes:
    items = "".join(f'<item id="c{number}" href="ch%20{number}.xhtml"/>' for number in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    package = f"""<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>
    <dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:date>{date}</dc:date></metadata>
    <manifest>{items}</manifest><spine>{spine}</spine></package>"""
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    parts = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package}
    for number, chapter in enumerate(chapters):
        parts[f"OEBPS/ch {number}.xhtml"] = f"<html><head><title>x</title></head><body>{chapter}</body></html>"
    return zipped(parts)


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    raw = io.BytesIO()
    workbook.save(raw)
    return raw.getvalue()


def pdf(*pages: Sequence[str], title: str = "") -> bytes:
    """A PDF with a line of text for each string; an empty page is like a scan."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type0 /BaseFont /SimSun /Encoding /UniGB-UTF16-H /DescendantFonts [4 0 R] >>"
    cid = (
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /SimSun /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) "
        "/Supplement 4 >> /DW 1000 /FontDescriptor << /Type /FontDescriptor /FontName /SimSun /Flags 4 "
        "/FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 900 /Descent -200 /CapHeight 900 /StemV 80 >> >>"
    )
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>", font, cid
    ]  # fmt: skip
    for number, lines in enumerate(pages):
        shown = "".join(
            f"BT /F 12 Tf 50 {800 - 20 * place} Td <{line.encode('utf-16-be').hex()}> Tj ET\n"
            for place, line in enumerate(lines)
        )
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 840] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {6 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(shown)} >>\nstream\n{shown}endstream")
    objects.append(f"<< /Title <feff{title.encode('utf-16-be').hex()}> >>")
    raw, places = b"%PDF-1.5\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(raw))
        raw += f"{number} 0 obj\n{content}\nendobj\n".encode()
    start = len(raw)
    raw += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    raw += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    return raw + f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode()
