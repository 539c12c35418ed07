"""JSON records, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from index.errors import SourceError
from index.readers.content import Content
from index.readers.encoding import decode
from index.readers.pages import Fault, Record, Row
from index.readers.tables import Columns

MAXIMUM_LINE = 16 << 20  # bytes


def read_jsonl(content: Content, columns: Columns | None = None) -> Iterator[Row | Fault]:
    """The records line by line, and for each bad line what is wrong with it; blank ones are passed over.

    Raises:
        SourceError: A line is longer than 16 MiB, so this is no file of records; what came before was given.
    """
    renamed = columns.record if columns is not None and columns.chosen else None
    with content.stream() as stream:
        number = 0
        while line := stream.readline(MAXIMUM_LINE + 1):
            number += 1
            if len(line) > MAXIMUM_LINE:
                raise SourceError(
                    f"{content.name}:{number} is longer than 16 MiB; is it one record a line?",
                    f"{content.name}:{number} 超过 16 MiB；应为每行一条记录。",
                )
            if line.strip():
                where = f"{content.name}:{number}"
                try:
                    record = _record(line, where)
                    yield Row(content.name, number, renamed(record) if renamed else record)
                except SourceError as error:
                    yield Fault(where, error)


def _record(line: bytes, where: str) -> Record:
    try:
        record = json.loads(_text(line))
    except json.JSONDecodeError as error:  # its own words are English, and its line is always the first
        raise SourceError(
            f"{where} is not JSON (at character {error.colno}).", f"{where} 不是 JSON（第 {error.colno} 个字符处）。"
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{where} is in no encoding known here.", f"{where} 的编码无法识别。") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{where} is JSON nested too deeply, or holds an endless number.",
            f"{where} 的 JSON 嵌套过深，或数字过长。",
        ) from error
    if not isinstance(record, dict):
        raise SourceError(f"{where} is not a JSON object with fields.", f"{where} 不是带字段的 JSON 对象。")
    return record


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        decoded = decode(line)
        if decoded.damage:
            raise
        return decoded.text
