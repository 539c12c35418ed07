"""From bytes and query strings to checked models, with every refusal in sentences of our own.

Pydantic finds what is wrong; what is said about it is said here, in both languages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service import sentences
from service.language import Language
from service.problems import FieldError, Problem

Model = TypeVar("Model", bound=BaseModel)
MOST_PARAMETERS = 200

# Pydantic's and our own kinds of error; the braces take the kind's own details.
MESSAGES: dict[str, tuple[str, str]] = {
    "missing": ("This field is missing: add it.", "缺少这个字段：请补上。"),
    "extra_forbidden": (
        "There is no such field: remove it or correct its name.",
        "没有这个字段：请删去或改正名称。",
    ),
    "string_type": ("This must be text.", "这里必须是文本。"),
    "string_unicode": (
        "This text holds half of a surrogate pair: send whole characters.",
        "文本中有不成对的代理码位：请发送完整的字符。",
    ),
    "string_too_short": (
        "This text is too short: the fewest characters are {min_length}.",
        "文本太短：至少 {min_length} 个字符。",
    ),
    "string_too_long": (
        "This text is too long: at most {max_length} characters.",
        "文本太长：最多 {max_length} 个字符。",
    ),
    "int_type": ("This must be a whole number.", "这里必须是整数。"),
    "int_parsing": ("This must be a whole number.", "这里必须是整数。"),
    "int_parsing_size": ("This number is too large.", "这个数太大。"),
    "int_from_float": ("This must be a whole number.", "这里必须是整数。"),
    "float_type": ("This must be a number.", "这里必须是数字。"),
    "float_parsing": ("This must be a number.", "这里必须是数字。"),
    "finite_number": ("This must be a finite number.", "这里必须是有限的数字。"),
    "greater_than_equal": ("This must be at least {ge}.", "这个值至少为 {ge}。"),
    "less_than_equal": ("This must be at most {le}.", "这个值最多为 {le}。"),
    "bool_type": ("This must be true or false.", "这里必须是 true 或 false。"),
    "bool_parsing": ("This must be 1 or 0.", "这里必须是 1 或 0。"),
    "list_type": ("This must be a list.", "这里必须是列表。"),
    "too_short": ("This list is too short: the fewest entries are {min_length}.", "列表太短：至少 {min_length} 项。"),
    "too_long": ("This list is too long: at most {max_length} entries.", "列表太长：最多 {max_length} 项。"),
    "model_type": ("This must be a JSON object.", "这里必须是 JSON 对象。"),
    "literal_error": ("This must be one of: {expected}.", "这里只能是以下值之一：{expected}。"),
    "nul": ("This text holds a NUL character: remove it.", "文本中含有 NUL 字符：请删去。"),
    "blank": ("This text is empty: write something.", "文本是空的：请填写内容。"),
    "iso_date": (
        "This must be an ISO 8601 date such as 2024-05-01.",
        "这里必须是 ISO 8601 日期，例如 2024-05-01。",
    ),
    "from_after_to": ("This date lies after the one in to: swap them.", "这个日期晚于 to 的日期：请对调。"),
    "both_names": (
        "This is another name for query: give only one of the two.",
        "这是 query 的另一个名称：两者只能给一个。",
    ),
    "strict_id": (
        "An id has 1 to 128 characters out of letters, digits and . _ : - and is not . or .. alone.",
        "编号由 1 到 128 个字母、数字和 . _ : - 组成，且不能只是 . 或 ..。",
    ),
    "link": (
        "This must be an http or https address, or a relative one.",
        "这里必须是 http 或 https 地址，或相对地址。",
    ),
    "twice": (
        "The id {id} stands twice in this list: send each document once.",
        "编号 {id} 在列表中重复：每个文档只发送一次。",
    ),
    "file_twice": (
        "Two files are named {name}: rename one, or send them one by one.",
        "有两个文件都叫 {name}：请改名，或分次发送。",
    ),
    "other_id": (
        "This id differs from the one in the address: leave it out or make them equal.",
        "编号与地址中的不一致：请删去或改成一致。",
    ),
}
# What is checked on the whole, and told at one field.
_PLACES = {"from_after_to": ("from",), "both_names": ("q",)}
_UNKNOWN = ("This value cannot be used: see /docs.", "这个值无法使用：请参阅 /docs。")


def read_query(request: Request, model: type[Model], language: Language) -> Model:
    """Check a query string against a model. Parameters the model does not have are ignored, since trackers
    add their own; empty ones count as absent, since forms send them.

    :raises Problem: 400, with one entry in ``errors`` for each unusable parameter; or for too many parameters, or text
        that is not UTF-8.
    """
    try:
        pairs = parse_qsl(
            request.query_string.decode("utf-8"), encoding="utf-8", errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-request", *sentences.QUERY_STRING_NOT_UTF8) from error
    except ValueError as error:
        english, chinese = (sentence.format(most=MOST_PARAMETERS) for sentence in sentences.TOO_MANY_PARAMETERS)
        raise Problem(400, "bad-request", english, chinese) from error
    values: dict[str, Any] = {}
    for name, text in pairs:
        values.setdefault(name, []).append(text)
    known: dict[str, Any] = {}
    for name, many in _accepted(model).items():
        if name in values:
            known[name] = values[name] if many else values[name][-1]
    # Query strings hold text only, so here numbers are read from text.
    return check(model, known, language, strict=False)


def read_json(request: Request) -> Any:
    """The JSON value of a request's body.

    :raises Problem: 415 for another content type, 400 for a body that is not proper JSON in UTF-8.
    """
    if request.mimetype != "application/json":
        raise Problem(415, "unsupported-media-type", *sentences.BODY_NOT_JSON_TYPE)
    raw = request.get_data(cache=False)
    if not raw.strip():
        raise Problem(400, "bad-request", *sentences.BODY_EMPTY)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-request", *sentences.BODY_NOT_UTF8) from error
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        english, chinese = (s.format(line=error.lineno, column=error.colno) for s in sentences.BODY_NOT_JSON)
        raise Problem(400, "bad-request", english, chinese) from error
    except _ConstantError as error:
        english, chinese = (sentence.format(name=error) for sentence in sentences.BODY_NO_NUMBER)
        raise Problem(400, "bad-request", english, chinese) from error
    except (RecursionError, ValueError) as error:
        raise Problem(400, "bad-request", *sentences.BODY_TOO_DEEP) from error
    if _holds_surrogates(value):
        english, chinese = MESSAGES["string_unicode"]
        raise Problem(400, "bad-request", english, chinese)
    return value


def check(model: type[Model], value: object, language: Language, *, strict: bool = True) -> Model:
    """Check a value against a model.

    :param strict: Whether types must be exact, as in JSON.
    :raises Problem: 400, with one entry in ``errors`` for each unusable field.
    """
    try:
        return model.model_validate(value, strict=strict)
    except ValidationError as error:
        refuse(_translated(error.errors(include_url=False), language))


def explained(error: ValidationError) -> tuple[str, str]:
    """What is wrong with the first unusable field, in English and in Chinese."""
    first = error.errors(include_url=False)[:1]
    (english,), (chinese,) = _translated(first, "en"), _translated(first, "zh")
    if not english.field:
        return english.message, chinese.message
    return f"{english.field}: {english.message}", f"{chinese.field}：{chinese.message}"


def refuse(errors: Iterable[FieldError]) -> NoReturn:
    """Refuse input because of these fields.

    :raises Problem: Always, 400 ``invalid-input``.
    """
    listed = list(errors)
    first = f"{listed[0].field}: {listed[0].message}" if listed[0].field else listed[0].message
    english, chinese = (sentence.format(first=first) for sentence in sentences.INVALID_INPUT)
    raise Problem(400, "invalid-input", english, chinese, errors=listed)


def message(kind: str, language: Language, **details: object) -> str:
    """Our sentence for a kind of error."""
    english, chinese = MESSAGES.get(kind, _UNKNOWN)
    return (chinese if language == "zh" else english).format(**details)


def place(location: Iterable[int | str]) -> str:
    """A field's place in the input: ``("queries", 2, "limit")`` is ``queries[2].limit``."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


@cache  # making a schema costs more than the rest of a request's way to its search
def _accepted(model: type[BaseModel]) -> Mapping[str, bool]:
    """The names a query string may use for a model's fields, and whether each may be repeated."""
    schema = model.model_json_schema()["properties"]
    return {name: "array" in json.dumps(about) for name, about in schema.items()}


def _translated(errors: Iterable[ErrorDetails], language: Language) -> list[FieldError]:
    return [FieldError(_place_of(error), message(error["type"], language, **_details(error))) for error in errors]


def _place_of(error: ErrorDetails) -> str:
    return place((*error["loc"], *_PLACES.get(error["type"], ())))


def _details(error: ErrorDetails) -> Mapping[str, object]:
    details = dict(error.get("ctx", {}))
    # Pydantic writes "'a', 'b' or 'c'"; the last word is English.
    if isinstance(details.get("expected"), str):
        details["expected"] = str(details["expected"]).replace(" or ", ", ")
    return details


class _ConstantError(ValueError):
    """NaN, Infinity or -Infinity, which Python reads and writes as JSON, and nobody else."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _holds_surrogates(value: object) -> bool:
    """Whether any text in a JSON value, names included, holds a lone surrogate, which is no character."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                return True
        elif isinstance(item, dict):
            left.extend(item.keys())
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False
