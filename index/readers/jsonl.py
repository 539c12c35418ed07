"""JSON records, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from index.errors import SourceError
from index.readers.opening import opened
from index.readers.pages import Record

MAXIMUM_LINE = 16 << 20  # bytes


def read_jsonl(file: Path) -> Iterator[tuple[int, Record | SourceError]]:
    """The records of a file by line number, and for each bad line what is wrong with it; blank ones are passed over.

    Raises:
        SourceError: A line is longer than 16 MiB, so this is no file of records; what came before was given.
    """
    with opened(file) as stream:
        number = 0
        while line := stream.readline(MAXIMUM_LINE + 1):
            number += 1
            if len(line) > MAXIMUM_LINE:
                raise SourceError(
                    f"{file}:{number} is longer than 16 MiB; is it one record a line?",
                    f"{file}:{number} 超过 16 MiB；应为每行一条记录。",
                )
            if line.strip():
                yield number, _record(line, f"{file}:{number}")


def _record(line: bytes, where: str) -> Record | SourceError:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return SourceError(f"{where} is not JSON in UTF-8: {error}.", f"{where} 不是 UTF-8 的 JSON：{error}。")
    if not isinstance(record, dict):
        return SourceError(f"{where} is not a JSON object with fields.", f"{where} 不是带字段的 JSON 对象。")
    return record
