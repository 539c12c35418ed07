"""What a line or paragraph of a printed page is, told by its wording alone.

Owns the patterns of headlines, bylines, datelines, captions and page furniture. Knows nothing of what stands
before or after.
"""

from __future__ import annotations

import re
from enum import Enum

from index.chinese import is_cjk

HEAD_LENGTH = 40  # characters of the longest headline
_BYLINE_LENGTH = 60
_DATELINE_LENGTH = 140

_PAGE_NUMBER = r"第?\s*[0-9A-Za-z一二三四五六七八九十]+\s*版"
_FROM_PAGE = rf"\s*[上紧緊][接轉转]\s*{_PAGE_NUMBER}"
_TO_PAGE = rf"\s*下[转轉接]\s*{_PAGE_NUMBER}"
CONTINUED = re.compile(
    rf"[（(【]{_FROM_PAGE}(?P<inside>[^（(）)】。]{{0,40}})[）)】]|{_FROM_PAGE}(?P<after>[^。！？]{{0,20}})$"
)
TURNED = re.compile(rf"[（(【]{_TO_PAGE}[^（(）)】。]{{0,20}}[）)】]$|^{_TO_PAGE}[^。！？]{{0,20}}$")
_FURNITURE = re.compile(
    r"(?:主要|内容|內容|新闻|新聞)(?:内容|內容|提要|摘要|正文)[：:]?|正文[：:]?"  # labels of a site's template
    r"|[-—–·•\s]*第?\s*\d{1,4}\s*[版页頁][-—–·•\s]*|[-—–·•]+\s*\d{1,3}\s*[-—–·•]+"
    r"|(?:责任|責任|本版)?(?:编辑|編輯|责编|美编|校对)[：:].{0,30}"
)
_FIRST_YEAR = 1000
_NUMBER = re.compile(r"[-—–·•]+\s*(\d{4})\s*[-—–·•]+|(\d{1,4})")
DAY = r"(?:\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d))"
WEEKDAY = r"[（(]?\s*(?:星期|周|週|禮拜|礼拜)[一二三四五六日天]\s*[)）]?"
# 创刊 and 见报 end like a paper's name and are verbs, after which the line is a sentence.
_PAPER = (
    r"(?:《[^《》]{1,12}[报報刊]》|[\u4e00-\u9fff·]{1,12}(?<!见)(?<!見)(?<!通)(?<!汇)(?<!匯)(?<!上)(?<!据)(?<!據)[报報]"
    r"|[\u4e00-\u9fff·]{1,12}[周週月季半旬双副]刊)(?:海外版)?"
)
_EDITION = (
    rf"(?:(?:{_PAGE_NUMBER}|\b[A-Z]\d{{1,2}}\b)(?:[\s：:\-\[\]]*[\u4e00-\u9fff]{{2,4}}(?=\W|$))?|版[次面][\s：:]*[0-9A-Za-z]+"
    r"|(?:今日|共)\s*[\d一二三四五六七八九十]{1,3}\s*版|总?第\s*[\d一二三四五六七八九十百千〇]{1,6}\s*[期号號]|[农農][历曆][\u4e00-\u9fff]{4,12})"
)
# The head of a page holds a day beside a paper's name, a weekday or an edition, and nothing else.
_BETWEEN = r"[\s·・|｜丨/／—–\-\[\]【】（）()，,]*"
MASTHEAD = re.compile(
    rf"(?![据據见見载載（(])(?=.{{0,80}}(?:{WEEKDAY}|[报報刊]|版|\b[A-Z]\d|[期号號])){_BETWEEN}"
    rf"(?:{_PAPER}{_BETWEEN})?(?:(?:{WEEKDAY}|{_EDITION}){_BETWEEN}){{0,4}}"
    rf"(?P<day>{DAY}){_BETWEEN}(?:{_PAPER}{_BETWEEN})?(?:(?:{WEEKDAY}|{_EDITION}){_BETWEEN}){{0,4}}(?:{_PAPER}{_BETWEEN})?"
)
_CAPTION_END = re.compile(
    r"(?:[摄攝]|供[图圖]|(?:记者|記者|通讯员|通訊員)\s*\S{2,4}(?:\s\S{1,3})?\s*[报報发發])[）)]?$"
)
_CAPTION_LENGTH = 200
BYLINE = re.compile(
    r"(?:[□■◎●▲★\s]*(?:本[报報刊台]|特[约約派]|见习|見習|实习|實習|驻.{1,6}|[\u4e00-\u9fff]{2,6}[社报報])?"
    r"(?:全媒体|首席|特派|特约)?(?:记者|記者|通讯员|通訊員|实习生|特约撰稿人|评论员|評論員)(?![^\s：:]{0,3}[，。在从了])"
    r"|.{2,40}(?:口述|整理|撰文|供稿|编译|編譯)|(?=[\x20-\x7e]{8,60}$).*\b\d{1,2} [A-Z][a-z]{2,8} \d{4}"
    r"|[□■◎]\s*\S|文[/／丨|]|文图[/／]|作者[：:]|[Bb]y [A-Z])[^。！？；]{0,60}"
)
DATELINE = re.compile(
    r"(?:本[报報刊台][^。，]{0,8}(?:讯|訊|电|電|消息)|[\u4e00-\u9fff]{2,8}社[^。]{0,24}[日讯訊电電]?[电電讯訊]|[本專专][报報]专?[电電])"
)
_REPORTERS = r"[^（(）)。]{0,12}(?:记者|記者|通讯员|通訊員|实习生)[^（(）)。]{1,50}"
_IN_DATELINE = re.compile(rf"^[^。！？，]{{0,40}}(?:[讯訊电電]|消息)\s*[（(]\s*({_REPORTERS})[）)]")
_AT_END = re.compile(rf"[（(]\s*({_REPORTERS})[）)]\s*$")
_DATED_CLAUSE = re.compile(r"(?:\d{2,4}年|\d{1,2}月\d{1,2}日)[^，,]*[，,]")
INNER_END = re.compile(r"[。！？；]")


class Role(Enum):
    """What a paragraph is in its article."""

    HEAD = "head"
    BYLINE = "byline"
    BODY = "body"
    CAPTION = "caption"
    BREAK = "break"  # the text goes on from another page: what follows has lost its headline
    TURN = "turn"  # the article goes on on another page


def role_of(text: str) -> Role:
    """The role of a whole paragraph, as far as its wording tells."""
    if is_byline(text):
        return Role.BYLINE
    if is_caption(text):
        return Role.CAPTION
    if looks_like_head(text) and not DATELINE.match(text) and not _DATED_CLAUSE.match(text):
        return Role.HEAD
    return Role.BODY


def is_furniture(line: str) -> bool:
    """Whether a line is surely a page number, a masthead or the names of the page's editors."""
    return _FURNITURE.fullmatch(line) is not None or MASTHEAD.fullmatch(line) is not None


def bare_number(line: str) -> int | None:
    """The number that is all a line holds: perhaps a page's, perhaps a year or a figure of a table."""
    match = _NUMBER.fullmatch(line)
    return int(match[1] or match[2]) if match else None


def is_year(line: str) -> bool:
    """Whether a line is a number that is more likely a year than a page."""
    return (bare_number(line) or 0) >= _FIRST_YEAR


def is_byline(text: str) -> bool:
    """Whether a paragraph says who wrote, and nothing else."""
    return len(text) <= _BYLINE_LENGTH and BYLINE.fullmatch(text) is not None and not _CAPTION_END.search(text)


def is_caption(text: str) -> bool:
    """Whether a paragraph belongs to a photograph: it ends with who took it."""
    return len(text) <= _CAPTION_LENGTH and _CAPTION_END.search(text) is not None


def ends_as_caption(text: str) -> bool:
    """Whether a text of any length ends with who took the photograph."""
    return _CAPTION_END.search(text) is not None


def looks_like_head(text: str) -> bool:
    """Short, not a sentence, not a list of clauses."""
    if len(text) > HEAD_LENGTH * (1 if is_cjk(text[0]) or not text.isascii() else 2):
        return False
    return not INNER_END.search(text[:-1]) and text[-1] not in "。；;，,、：:." and any(map(str.isalnum, text))


def reporters_in(text: str) -> str:
    """Who wrote a paragraph, from the brackets of its dateline or at its end, or nothing."""
    match = _IN_DATELINE.match(text[:_DATELINE_LENGTH])
    if match is None and text[-1:] in ("）", ")"):
        match = _AT_END.search(text, max(0, len(text) - _BYLINE_LENGTH - 20))
    return match[1].strip() if match else ""
