"""What a content is, by its first bytes and, where those leave it open, by its name."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from index.readers.content import Content
from index.readers.packed import inner_name, packing

TEXT = {".txt", ".text"}
MARKDOWN = {".md", ".markdown"}
PAGES = {".html", ".htm", ".shtml", ".xhtml"}
MAIL = {".mht", ".mhtml", ".eml"}
RECORDS = {".jsonl", ".ndjson"}
TABLES = {".csv", ".tsv"}
DOCUMENTS = {".pdf", ".docx", ".doc", ".epub", ".xlsx"}
ARCHIVES = {".zip", ".tar", ".tgz"}
FORMATS = frozenset(TEXT | MARKDOWN | PAGES | MAIL | RECORDS | TABLES | DOCUMENTS | ARCHIVES | {".gz", ".xz", ".bz2"})

# Documents that nobody here reads: they are named, each, with what to do.
UNREAD = {".rtf", ".wps", ".xls", ".et", ".ppt", ".pptx", ".odt", ".mobi", ".azw3", ".caj", ".djvu", ".ofd", ".ps",
          ".rar", ".7z"}  # fmt: skip
ADVICE = {
    "rtf": ("an RTF document, which is not read; save it as .docx", "RTF 文档，不能读取；请另存为 .docx"),
    "7z": ("a 7z archive; unpack it first", "7z 压缩包；请先解压"),
    "rar": ("a RAR archive; unpack it first", "RAR 压缩包；请先解压"),
    "picture": ("a picture; recognise its characters (OCR) first", "图片；请先做文字识别（OCR）"),
    "pptx": ("a PowerPoint file, which is not read; save it as .pdf", "PowerPoint 文件，不能读取；请另存为 .pdf"),
    "odt": ("an OpenDocument file, which is not read; save it as .docx", "OpenDocument 文件，不能读取；请另存为 .docx"),
    "caj": ("a CAJ document, which is not read; save it as .pdf", "CAJ 文档，不能读取；请另存为 .pdf"),
    "djvu": ("a DjVu document, which is not read; save it as .pdf", "DjVu 文档，不能读取；请另存为 .pdf"),
    "postscript": ("PostScript, which is not read; save it as .pdf", "PostScript 文档，不能读取；请另存为 .pdf"),
    "sound or film": ("sound or film, which is not read", "音频或视频，不能读取"),
    "program": ("a program, which is not read", "程序，不能读取"),
    "database": ("a database, which is not read; export it as .csv", "数据库，不能读取；请导出为 .csv"),
}

_MAGIC = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "doc"),
    (b"{\\rtf", "!rtf"),
    (b"7z\xbc\xaf\x27\x1c", "!7z"),
    (b"Rar!\x1a\x07", "!rar"),
    (b"\x89PNG", "!picture"), (b"\xff\xd8\xff", "!picture"), (b"GIF8", "!picture"), (b"BM", "?picture"),
    (b"II*\x00", "!picture"), (b"MM\x00*", "!picture"), (b"AT&TFORM", "!djvu"), (b"%!PS", "!postscript"),
    (b"ID3", "!sound or film"), (b"OggS", "!sound or film"), (b"fLaC", "!sound or film"), (b"RIFF", "!sound or film"),
    (b"\x7fELF", "!program"), (b"MZ\x90", "!program"), (b"SQLite format 3\x00", "!database"),
    (b"CAJ", "!caj"), (b"HN\x00\x00", "!caj"), (b"KDH", "!caj"),
)  # fmt: skip
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|title)\b", re.I | re.S
)
_HEADER = re.compile(rb"\s*(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)+")
_TAG = re.compile(rb"<\s*(?:html|head|body|div|p|meta|title|table|article|span|br)\b", re.I)


def kind_of(content: Content) -> str:
    """``text``, ``markdown``, ``html``, ``mail``, ``jsonl``, ``csv``, ``pdf``, ``docx``, ``doc``, ``epub``, ``xlsx``,
    ``zip``, ``tar`` or ``packed``; for what nobody reads its name in ``ADVICE`` after an exclamation mark.

    Raises:
        OSError: It cannot be read.
        SourceError: It cannot be unpacked.
    """
    head = content.head()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(content)
    return _binary_kind(head) or _text_kind(head, Path(inner_name(content.name)).suffix.lower())


def _binary_kind(head: bytes) -> str:
    if packing(head):
        return "packed"
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head[257:262] == b"ustar":
        return "tar"
    if head[4:8] == b"ftyp":
        return "!sound or film"
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (kind[0] != "?" or b"\x00" in head[:32]):
            return kind.replace("?", "!")
    return ""


def _text_kind(head: bytes, suffix: str) -> str:
    if suffix in RECORDS:
        return "jsonl"
    if suffix in TABLES:
        return "csv"
    plain = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")  # UTF-16 has a zero beside each letter
    if _HTML.match(plain) or (suffix in PAGES and _TAG.search(plain)):
        return "html"
    if (header := _HEADER.match(head)) and (suffix in MAIL or b"\nmime-version:" in header[0].lower()):
        return "mail"
    return "markdown" if suffix in MARKDOWN else "text"


def _zip_kind(content: Content) -> str:
    try:
        with content.stream() as stream, zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        return {".docx": "docx", ".xlsx": "xlsx", ".epub": "epub"}.get(Path(content.name).suffix.lower(), "zip")
    if any(re.fullmatch(r"word/document\d*\.xml", name, re.I) for name in names):
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "META-INF/container.xml" in names:
        return "epub"
    if "ppt/presentation.xml" in names:
        return "!pptx"
    return "!odt" if "content.xml" in names and "mimetype" in names else "zip"
