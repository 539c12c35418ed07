"""API keys: made, listed, revoked and recognised.

Keys live in ``DATA/keys.json`` (mode 0600, replaced atomically) as SHA-256 digests; the key itself is shown
once, when it is made. The file is read afresh for every check, so a key made or revoked by the command
line counts at once in a running service.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from index.errors import BusyError, DataError, InputError, NotFoundError

Scope = Literal["search", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE = "keys.json"
SECRET_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A prefix lets secret scanners recognise a leaked key.
_PREFIX = "xz_"


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key.

    Attributes:
        id: Short public name, for listing and revoking.
        scope: ``search`` may read; ``admin`` may read and write.
        note: What the key is for, in the maker's words.
        created: UTC date-time in ISO 8601.
        sha256: Digest of the secret, in hexadecimal.
    """

    id: str
    scope: Scope
    note: str
    created: str
    sha256: str


def create_key(data: Path, scope: str, note: str = "") -> tuple[Key, str]:
    """Make a key and keep its digest.

    :param data: The data directory.
    :param scope: ``search`` or ``admin``.
    :returns: What is kept, and the secret, which cannot be shown again.
    :raises InputError: An unknown scope.
    """
    known = next((name for name in SCOPES if name == scope), None)
    if known is None:
        raise InputError(
            f"There is no key scope {scope!r}: choose one of {', '.join(SCOPES)}.",
            f"没有名为 {scope!r} 的密钥权限：请从 {'、'.join(SCOPES)} 中选择。",
        )
    secret = _PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    with _writing(data):
        keys = list_keys(data)
        taken = {key.id for key in keys}
        name = next(name for name in iter(lambda: secrets.token_hex(4), "") if name not in taken)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        key = Key(name, known, note, created, _digest(secret))
        _save(data, [*keys, key])
    return key, secret


def list_keys(data: Path) -> list[Key]:
    """All keys in the order they were made; none where there is no key file.

    :raises DataError: The file is damaged. Nobody is let in on a damaged file.
    """
    path = data / FILE
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path) from error
    try:
        keys = [Key(**entry) for entry in json.loads(content)["keys"]]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path) from error
    if not all(_is_sound(key) for key in keys):
        raise _damaged(path)
    return keys


def revoke_key(data: Path, key_id: str) -> Key:
    """Forget a key; whoever holds it is refused from now on.

    :raises NotFoundError: No key has this id.
    """
    with _writing(data):
        keys = list_keys(data)
        gone = next((key for key in keys if key.id == key_id), None)
        if gone is None:
            raise NotFoundError(
                f"There is no key {key_id!r}: list them with python -m scripts.manage keys list.",
                f"没有编号为 {key_id!r} 的密钥：可用 python -m scripts.manage keys list 查看。",
            )
        _save(data, [key for key in keys if key.id != key_id])
    return gone


def find_key(data: Path, secret: str) -> Key | None:
    """The key a secret belongs to, or ``None``. Every digest is compared, in constant time."""
    digest = _digest(secret)
    found = None
    for key in list_keys(data):
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def _digest(secret: str) -> str:
    # A fast hash is enough: the secret is 32 random bytes, not a word somebody chose.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _is_sound(key: Key) -> bool:
    texts = (key.id, key.scope, key.note, key.created, key.sha256)
    return all(isinstance(text, str) for text in texts) and key.scope in SCOPES and bool(_DIGEST.fullmatch(key.sha256))


@contextmanager
def _writing(data: Path) -> Iterator[None]:
    data.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(data / f"{FILE}.lock", timeout=10):
            yield
    except Timeout as error:
        raise BusyError(
            f"Another process is changing {data / FILE}: try again in a moment.",
            f"另一个进程正在修改 {data / FILE}：请稍后再试。",
        ) from error


def _save(data: Path, keys: list[Key]) -> None:
    text = json.dumps({"keys": [asdict(key) for key in keys]}, ensure_ascii=False, indent=2)
    # mkstemp makes the file readable by its owner only.
    handle, name = tempfile.mkstemp(dir=data, prefix=f"{FILE}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(data / FILE)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(data, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _damaged(path: Path) -> DataError:
    return DataError(
        f"The key file {path} cannot be read: restore it from a backup, or delete it and make new keys.",
        f"密钥文件 {path} 无法读取：请从备份恢复，或删除后重新创建密钥。",
    )
