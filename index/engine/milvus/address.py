"""The address of a Milvus: ``milvus:http://host:19530``, with ``/NAME`` for another database, or
``milvus:/path/file.db`` for Milvus Lite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from index.errors import SettingError

SCHEME = "milvus:"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Milvus is.

    Attributes:
        shown: As the user gave it, less a password.
        uri: For pymilvus.
        database: Name of the database, empty for the default one.
        file: Of Milvus Lite, ``None`` for a server.
    """

    shown: str
    uri: str
    database: str = ""
    file: Path | None = None


def parse_address(written: str) -> Address:
    """Take ``milvus:...`` apart.

    Raises:
        SettingError: It is neither an address of a server nor a path that ends with .db.
    """
    rest = written.removeprefix(SCHEME)
    if rest.startswith(("http://", "https://")):
        parts = _split(rest)
        database = "" if parts is None else parts.path.strip("/")
        if parts and parts.hostname and "/" not in database and not parts.query and not parts.fragment:
            host = parts.netloc.rpartition("@")[2]
            tail = f"/{database}" if database else ""
            return Address(f"{SCHEME}{parts.scheme}://{host}{tail}", f"{parts.scheme}://{parts.netloc}", database)
    elif rest.endswith(".db") and "://" not in rest:
        file = Path(rest).expanduser().absolute()
        return Address(f"{SCHEME}{file}", str(file), file=file)
    raise SettingError(
        f"The engine {written!r} is no Milvus address; write milvus:http://HOST:19530, or milvus:/PATH/FILE.db for "
        "Milvus Lite.",
        f"{written!r} 不是 Milvus 地址；请写成 milvus:http://主机:19530，或用 milvus:/路径/文件.db 使用 Milvus Lite。",
    )


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; ``None`` where a bracket is open or the port is none."""
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 else parts
    except ValueError:
        return None
