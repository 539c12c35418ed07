"""Dates as people write them -> ISO 8601: in records, in file names, on mastheads, in datelines.

Owns what counts as a document's own date. A date that the body merely mentions is not one; where it cannot
be told, there is no date.
"""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_to_datetime

from index.labels import fields_of
from index.roles import DAY, MASTHEAD, WEEKDAY

_ZEROS = "〇○零OoＯ0"  # as people write and type them
_NUMERALS = f"{_ZEROS}一二三四五六七八九十"
_DIGITS = dict.fromkeys(_ZEROS, 0) | {numeral: value for value, numeral in enumerate("〇一二三四五六七八九")}
_FULLWIDTH = str.maketrans("０１２３４５６７８９：．－／", "0123456789:.-/")

_COMPACT = re.compile(r"^(?:D:)?(\d{4})(\d\d)(\d\d)(?:\d{6}[Z+\-\d:']*)?(?!\d)")  # D: and its clock in a PDF
_WRITTEN = re.compile(
    r"(\d{4})(?!\d)(?:\s?[-/.年]\s?(\d{1,2})(?!\d)(?:\s?[-/.月]\s?(\d{1,2})(?!\d)\s?日?"
    r"(?:[T ]?(\d\d:\d\d(?::\d\d)?))?)?)?"
)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3])(?::[0-5]\d){1,2}")
_MONTH_AND_DAY = rf"(?:\s?([{_NUMERALS}]{{1,3}}|元)\s?月(?:\s?([{_NUMERALS}]{{1,3}})\s?日)?)?"
_CHINESE = re.compile(
    rf"(?=[{_ZEROS}]{{0,2}}[一二三四五六七八九])([{_ZEROS}一二三四五六七八九]{{4}})\s?年{_MONTH_AND_DAY}"
)
_OF_THE_REPUBLIC = rf"(\d{{1,3}})|(元|一百|[{_NUMERALS}]{{1,3}}|一百[{_NUMERALS}]{{1,3}})"
_REPUBLIC = re.compile(rf"(?:中華|中华)?民[國国]\s?(?:{_OF_THE_REPUBLIC})\s?年{_MONTH_AND_DAY}")
_FIRST_MONTH = re.compile(r"(?<=\d年)\s?元月")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_ENGLISH = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_MONTH} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})",
        rf"(?P<day>\d{{1,2}}) {_MONTH},? (?P<year>\d{{4}})",
    )
)
_REPUBLIC_BEGAN = 1911  # year 1 of the Republic of China is 1912

_IN_NAME = re.compile(
    r"(?<!\d)((?:18|19|20)\d\d)(?:"
    r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)"
    r"|([-_.])(1[0-2]|0?[1-9])\4(3[01]|[12]\d|0?[1-9])(?!\d)"
    r"|年(1[0-2]|0?[1-9])月(?:(3[01]|[12]\d|0?[1-9])日?(?!\d))?)"
)
_YEAR_IN_NAME = re.compile(r"(?<!\d)((?:18|19|20)\d\d)年")  # four digits alone are as often a serial number

_LABEL = r"[\[【（(]?(?:发[布表稿]|發[布表]|刊[登发發]|出版|更新|来源|日期|时间|時間)*(?:日期|时间|時間)\s*[：:]"
_DATE_LINE = re.compile(
    rf"(?:{_LABEL})?\s*[（(]?\s*(?P<day>{DAY})\s*[)）]?\s*(?:{WEEKDAY})?\s*(?:\d\d?:\d\d(?::\d\d)?)?"
    r"\s*(?:(?:来源|來源|作者|记者|記者|编辑|責任編輯|责任编辑)\s*[：:][^。]{1,40})?[\]】]?"
)
_DATELINE = re.compile(
    r"^[^。！？\n]{0,40}?(?:社|网|網|报|報|台|频道)[^。，,！？\n\d]{0,20}?"
    r"(?:(\d{4})\s?年)?\s?(\d{1,2})\s?月\s?(\d{1,2})\s?日\s?(?:电|電|讯|訊|消息|专电|專電)"
)
_OPENING = 1_000  # characters in which a masthead or dateline is looked for
_CLOSING = 120
_FIRST_LINES = 6


def iso_date(text: str) -> str:
    """A date that stands for itself, as in a record's field, in ISO 8601 to the precision it has, else nothing.

    Read are ``2021-06-01``, ``2021/6/1 08:30``, ``20210601``, ``2021年6月``, ``二〇二一年六月一日``,
    ``民國110年6月1日``, ``June 1, 2021``, the dates of a PDF (``D:20210601120000``) and
    of mail and HTTP (``Tue, 1 Jun 2021 ...``).
    """
    text = _arabic(text.strip())
    match = _WRITTEN.match(_COMPACT.sub(r"\1-\2-\3", text))
    if match is None:
        return _iso_of_mail(text)
    year, month, day, clock = match.groups()
    iso = _iso(year, month, day)
    return f"{iso}T{clock}" if iso and clock and _CLOCK.fullmatch(clock) else iso


def date_in_name(name: str) -> str:
    """The date in a file's name, or nothing where there is none or there are several different ones."""
    found = set()
    for match in _IN_NAME.finditer(_arabic(name)):
        year, *parts = match.groups()
        month, day = (parts[0] or parts[3] or parts[5]), (parts[1] or parts[4] or parts[6])
        found.add(_iso(year, month, day))
    return found.pop() if len(found) == 1 else ""


def date_in_text(text: str, name: str = "") -> str:
    """The date a document gives itself, or nothing.

    In this order: the labelled date of an export (``【日期】20210601``); a masthead or a line with nothing but a date
    among its first lines; the dateline of a news agency or paper (``新华社北京6月1日电``), whose year must stand in it
    or in the file's name (years in the body are as often those of an anniversary); the signature date that is the
    document's last line. Where the lines disagree, as in a diary or a chronicle, none of them is believed.
    """
    if labelled := iso_date(fields_of(text).date):
        return labelled
    lines = [line for raw in text[:_OPENING].splitlines() if (line := _arabic(raw.strip(" \t\u3000\ufeff\xa0")))]
    stated = {day for line in lines[:_FIRST_LINES] if (day := _date_of_line(line))}
    alone = {day for line in lines if (match := _DATE_LINE.fullmatch(line)) and (day := iso_date(match["day"]))}
    if stated:
        return stated.pop() if len(stated | alone) == 1 else ""
    if alone:
        last = text[-_CLOSING:].rstrip().splitlines()[-1:]
        whole = len(text) <= _OPENING and bool(last) and len(alone) == 1 and _signature(last[0])
        return alone.pop() if whole else ""
    dated = next((match for line in lines[:_FIRST_LINES] if (match := _DATELINE.match(line))), None)
    if dated is not None:
        years = {dated[1]} if dated[1] else set(_YEAR_IN_NAME.findall(_arabic(name)))
        return _iso(years.pop(), dated[2], dated[3]) if len(years) == 1 else ""
    last = text[-_CLOSING:].rstrip().splitlines()[-1:]
    return _signature(last[0]) if last and len(lines) > 1 else ""


def _date_of_line(line: str) -> str:
    match = _DATE_LINE.fullmatch(line) or MASTHEAD.fullmatch(line)
    return iso_date(match["day"]) if match else ""


def _signature(line: str) -> str:
    match = re.fullmatch(DAY, _arabic(line.strip(" \t\u3000")))
    return iso_date(match.group()) if match else ""


def _iso(year: str, month: str | None, day: str | None) -> str:
    try:
        parsed = date(int(year), int(month or 1), int(day or 1))
    except ValueError:  # the 45th of June
        return ""
    return parsed.isoformat()[: 10 if day else 7 if month else 4]


def _iso_of_mail(text: str) -> str:
    try:
        return parsedate_to_datetime(text).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, IndexError, TypeError, OverflowError):
        return ""


def _arabic(text: str) -> str:
    """The text with its written-out dates in digits: ``二〇二一年十二月一日`` -> ``2021年12月1日``."""
    for pattern in _ENGLISH:
        if match := pattern.fullmatch(text):
            return f"{match['year']}-{_MONTHS.index(match['month'][:3]) + 1}-{match['day']}"
    text = _CHINESE.sub(_digits, text.translate(_FULLWIDTH))
    return _FIRST_MONTH.sub("1月", _REPUBLIC.sub(_of_the_republic, text))


def _digits(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return "".join(str(_DIGITS[char]) for char in year) + "年" + _month_and_day(month, day)


def _of_the_republic(match: re.Match[str]) -> str:
    arabic, written, month, day = match.groups()
    year = int(arabic) if arabic else _number(written.removeprefix("一百")) + 100 * written.startswith("一百")
    return f"{year + _REPUBLIC_BEGAN}年{_month_and_day(month, day)}"


def _month_and_day(month: str | None, day: str | None) -> str:
    return "".join(f"{_number(written)}{unit}" for written, unit in ((month, "月"), (day, "日")) if written)


def _number(written: str) -> int:
    """A number below 100 as people write it: 九, 十二, 三十一, 二〇; 元 is the first, and nothing is none."""
    if written in ("", "元"):
        return len(written)
    tens, ten, ones = written.partition("十")
    if not ten:
        return int("".join(str(_DIGITS[char]) for char in written))
    return 10 * _DIGITS.get(tens, 1) + _DIGITS.get(ones, 0)
