"""Everything the library raises on purpose, one tree in one file.

    XunzhangError                  exit 1 / HTTP 500
    ├── InputError                 exit 2 / HTTP 400   the caller can mend the input
    │   ├── QueryError             an unusable query or search setting
    │   ├── SourceError            a file, folder or record that cannot be read
    │   └── SettingError           an unknown model, engine or other setting
    ├── NotFoundError              exit 2 / HTTP 404   no such document or passage
    ├── DataError                  exit 2 / HTTP 409   the data directory cannot be used as asked
    │   ├── NoIndexError           nothing was indexed there yet
    │   ├── StorageError           (HTTP 507) the disk is full or cannot be written
    │   └── ModelMismatchError     the index was made with another model
    ├── BusyError                  exit 3 / HTTP 503   another process is writing
    ├── EngineError                exit 2 / HTTP 503   a Milvus does not answer, or refuses
    └── ModelError                 exit 2 / HTTP 503   the embedding model cannot be loaded or run

Each message is one sentence: what happened, where, what to do. It exists in English and in
Chinese, because the person who reads it may be the keeper of a Chinese archive.
"""

from __future__ import annotations


class XunzhangError(Exception):
    """Base of the tree.

    Attributes:
        english: The sentence in English.
        chinese: The same sentence in simplified Chinese.
    """

    exit_code = 1
    status = 500

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.english = english
        self.chinese = chinese

    def sentence(self, language: str) -> str:
        """The message in ``"zh"`` or, for anything else, in English."""
        return self.chinese if language == "zh" else self.english


class InputError(XunzhangError):
    """The caller can mend the input."""

    exit_code = 2
    status = 400


class QueryError(InputError):
    """An unusable query or search setting."""


class SourceError(InputError):
    """A file, folder or record that cannot be read."""


class SettingError(InputError):
    """An unknown model, engine or other setting."""


class NotFoundError(XunzhangError):
    """No such document or passage."""

    exit_code = 2
    status = 404


class DataError(XunzhangError):
    """The data directory cannot be used as asked."""

    exit_code = 2
    status = 409


class NoIndexError(DataError):
    """Nothing was indexed in the data directory yet."""


class StorageError(DataError):
    """The disk is full or cannot be written."""

    status = 507


class ModelMismatchError(DataError):
    """The index was made with another model than the one asked for."""


class BusyError(XunzhangError):
    """Another process is writing to the data directory."""

    exit_code = 3
    status = 503


class EngineError(XunzhangError):
    """An engine on another machine does not answer, or refuses."""

    exit_code = 2
    status = 503


class ModelError(XunzhangError):
    """The embedding model cannot be loaded or run."""

    exit_code = 2
    status = 503
