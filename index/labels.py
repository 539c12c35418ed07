"""What a text says of itself in labelled fields at its start, as databases of papers and bulletin boards export them.

Owns which labels are known. The fields are text like any other; they are only read here, never taken out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENING = 3_000  # characters within which the fields stand
_MOST_LINES = 40
_LONGEST = 200  # characters of a title or a byline; what is longer is neither
_BLANKS = re.compile(r"\s+")
_TITLE = ("标题", "題名", "题名", "题目", "題目", "標題", "篇名")
_BYLINE = ("作者", "署名")
_DATE = ("日期", "发表日期", "发布日期", "發布日期", "刊登日期", "出版日期", "见报日期", "发布时间", "文章日期")
_OTHER = (
    "来源", "來源", "原文出处", "原刊名", "原刊期号", "原刊地名", "原刊页号", "文献号", "复印期号", "分类号", "分类名",
    "版号", "版次", "版面", "栏目", "关键词", "内容提要", "摘要", "作者简介", "英文标题", "报纸", "报名",
    "发信人", "发信站", "信区",
)  # fmt: skip
_KNOWN = frozenset((*_TITLE, *_BYLINE, *_DATE, *_OTHER))
_ENDS = frozenset(("正文", "全文"))
_BRACKETED = re.compile(r"[【\[［]([^】\]］\n]{2,10})[】\]］][：:]?([^【\n]*)")
_WITH_COLON = re.compile(r"([\u4e00-\u9fff][\u4e00-\u9fff\s]{1,8})[：:](.*)")


@dataclass(frozen=True, slots=True)
class Fields:
    """The document's title, byline and date as they are written, each empty where it is not given, or given twice."""

    title: str = ""
    byline: str = ""
    date: str = ""


def fields_of(text: str) -> Fields:
    """The labelled fields with which a text begins: at least two, in brackets or before a colon."""
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text[:_OPENING].lstrip("\ufeff\u3000 \t\r\n").splitlines()):
        fields = _fields_in(line)
        labels = {label for label, _ in fields}
        if (not fields and not found) or number > _MOST_LINES or labels & _ENDS:
            break
        if not fields and found and not _bracketed(text):
            break  # only between brackets is it plain where fields go on after a line that is none
        found += fields
    if len({label for label, _ in found}) < 2:  # one alone is a line of the text
        return Fields()
    return Fields(_only(found, _TITLE), _only(found, _BYLINE), _only(found, _DATE))


def is_field(line: str) -> bool:
    """Whether a line begins with a label in brackets that is known."""
    match = _BRACKETED.match(line)
    return match is not None and _BLANKS.sub("", match[1]) in _KNOWN | _ENDS


def _bracketed(text: str) -> bool:
    return text.lstrip("\ufeff\u3000 \t\r\n")[:1] in ("【", "[", "［")


def _fields_in(line: str) -> list[tuple[str, str]]:
    """The known labels of a line with what stands behind them."""
    line = line.strip(" \t\u3000")
    matches = list(_BRACKETED.finditer(line)) if _BRACKETED.match(line) else [_WITH_COLON.fullmatch(line)]
    pairs = [(_BLANKS.sub("", match[1]), match[2].strip(" \t\u3000")) for match in matches if match]
    return [(label, value) for label, value in pairs if label in _KNOWN | _ENDS]


def _only(found: list[tuple[str, str]], labels: tuple[str, ...]) -> str:
    """What stands behind the first of the labels that is there, unless there are several of it that differ."""
    for wanted in labels:
        values = {value for label, value in found if label == wanted and 0 < len(value) <= _LONGEST}
        if values:
            return values.pop() if len(values) == 1 else ""
    return ""
