"""Which engine an archive is opened with."""

from __future__ import annotations

from pathlib import Path

from index.engine import Engine
from index.engine.local import LocalEngine
from index.errors import DataError, SettingError

LOCAL = "local"


def open_engine(name: str, data: Path, *, create: bool) -> Engine:
    """Open the archive in ``data``, or in the Milvus that was chosen.

    Args:
        name: ``local`` or ``milvus:...``.

    Raises:
        NoIndexError: There is none and ``create`` is false.
        SettingError: There is no such engine, or its package is not installed.
        EngineError: Milvus does not answer.
        DataError: The directory cannot be used.
    """
    if name == LOCAL or name.startswith("milvus:"):
        try:
            return _opened(name, data, create=create)
        except OSError as error:
            why = error.strerror or str(error)
            raise DataError(
                f"{data} cannot be used: {why}; choose another directory with --data.",
                f"无法使用 {data}：{why}；请用 --data 另选目录。",
            ) from error
    raise SettingError(
        f"The engine (--engine or XUNZHANG_ENGINE) is {name!r}; it must be local, milvus:http://HOST:19530 or "
        "milvus:/PATH/FILE.db.",
        f"引擎（--engine 或 XUNZHANG_ENGINE）为 {name!r}；应为 local、milvus:http://主机:19530 或 "
        "milvus:/路径/文件.db。",
    )


def _opened(name: str, data: Path, *, create: bool) -> Engine:
    if name == LOCAL:
        return LocalEngine(data, create=create)
    from index.engine.milvus.address import parse_address  # noqa: PLC0415 - the local engine does without
    from index.engine.milvus.engine import MilvusEngine  # noqa: PLC0415

    return MilvusEngine(parse_address(name), data, create=create)
