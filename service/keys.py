"""API keys: made, listed, revoked and recognised.

Keys live in ``DATA/keys.json`` (mode 0600, replaced atomically) as SHA-256 digests; the key itself is shown
once, when it is made. The file is read afresh for every check, so a key made or revoked by the command
line counts at once in a running service. Made by root, it belongs to the owner of the directory, who serves it.
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
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from index.errors import BusyError, DataError, InputError, NotFoundError, StorageError, XunzhangError
from service.logs import visible

Scope = Literal["search", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE = "keys.json"
SECRET_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A prefix lets secret scanners recognise a leaked key.
_PREFIX = "xz_"


class KeysUnreadableError(XunzhangError):
    """The key file is there, and the user that runs this may not read it."""

    exit_code = 2
    status = 503

    def __init__(self, path: Path) -> None:
        user = os.geteuid()
        super().__init__(
            f"The user that runs this (uid {user}) may not read the key file {path}: give it to that user, as root, "
            f"with: chown {user} {path}",
            f"运行本程序的用户（uid {user}）无权读取密钥文件 {path}：请以 root 身份将它交给该用户：chown {user} {path}",
        )


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
    :param note: What the key is for, in one line.
    :returns: What is kept, and the secret, which cannot be shown again.
    :raises InputError: An unknown scope, or a note that is no line of text.
    :raises StorageError: The directory cannot be written.
    """
    known = next((name for name in SCOPES if name == scope), None)
    if known is None:
        raise InputError(
            f"There is no key scope {scope!r}: choose one of {', '.join(SCOPES)}.",
            f"没有名为 {scope!r} 的密钥权限：请从 {'、'.join(SCOPES)} 中选择。",
        )
    if visible(note) != note or not _is_text(note):
        raise InputError(
            "The note of a key holds a character that cannot be shown, such as a line break: write it in one line.",
            "密钥备注含有换行等无法显示的字符：请写成一行文字。",
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
    :raises KeysUnreadableError: It belongs to another user; nobody is let in either.
    """
    path = data / FILE
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise KeysUnreadableError(path) from error
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
    :raises StorageError: The directory cannot be written.
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


def _is_text(text: str) -> bool:
    """Whether it can be written in UTF-8, as the odd bytes of a terminal cannot."""
    return text.encode("utf-8", "ignore").decode() == text


@contextmanager
def _writing(data: Path) -> Iterator[None]:
    lock = data / f"{FILE}.lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=10):
            handle = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                _give_to_owner(handle, data)
            finally:
                os.close(handle)
            yield
    except Timeout as error:
        raise BusyError(
            f"Another process is changing {data / FILE}: try again in a moment.",
            f"另一个进程正在修改 {data / FILE}：请稍后再试。",
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(
            f"The key file {data / FILE} cannot be written: {why}; make room on the disk, or see that this user may "
            "write the directory, then try again.",
            f"无法写入密钥文件 {data / FILE}：{why}；请腾出磁盘空间，或确认当前用户可写该目录，然后重试。",
        ) from error


def _save(data: Path, keys: list[Key]) -> None:
    text = json.dumps({"keys": [asdict(key) for key in keys]}, ensure_ascii=False, indent=2)
    # mkstemp makes the file readable by its owner only.
    handle, name = tempfile.mkstemp(dir=data, prefix=f"{FILE}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            _give_to_owner(file.fileno(), data)
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


def _give_to_owner(handle: int, data: Path) -> None:
    """Have a file that root made belong to whom the directory belongs to, or the service could not read it."""
    owner = data.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        with suppress(OSError):  # as on a network's file system; who reads the file is told then
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _damaged(path: Path) -> DataError:
    return DataError(
        f"The key file {path} cannot be read: restore it from a backup, or delete it and make new keys.",
        f"密钥文件 {path} 无法读取：请从备份恢复，或删除后重新创建密钥。",
    )
