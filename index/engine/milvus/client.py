"""Calls to Milvus: with time limits, and errors as sentences. Knows no collection by name.

pymilvus itself repeats a call that a server could not take, with growing pauses, until the call's time limit; so a
server that restarts is waited for, and one that is away is given up. Reads are ``Strong`` for the writer, who must
see what the last writer wrote, ``Session`` for a process that wrote before, and else ``Bounded``: a few seconds
behind at most, for an answer that waits for nobody.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import local
from time import monotonic, sleep
from typing import Any, TypeVar

from index.engine.milvus.address import Address
from index.errors import DataError, EngineError, SettingError

T = TypeVar("T")
Fields = dict[str, Any]

_PATIENCE = 8.0  # seconds for a call that reads
_WRITING = 15.0  # seconds for one that writes
_LONG = 120.0  # seconds for one that makes or loads a collection
_TRIES, _PAUSE = 3, 0.3  # to connect; seconds before the first repetition
_BATCH = 500  # rows sent at once: a few MB, where servers take 64
_NOT_LOADED = re.compile(r"\bnot loaded\b|'released'")
_UNCONNECTED = 2  # pymilvus' code
# A server that comes back is tried again within a second, whoever found it away before; by default that is minutes.
_CHANNEL = {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.min_reconnect_backoff_ms": 3_000,  # how long a connection may take to be made, whatever its name says
    "grpc.max_reconnect_backoff_ms": 1_000,
}
_opened: Counter[str] = Counter()  # files of Milvus Lite, and how many clients of this process have each open
MOST = 16_384  # rows a query may return, and its offset reach
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Client:
    """A connection to one Milvus; safe to share between threads.

    Raises:
        SettingError: pymilvus or Milvus Lite is not installed.
        EngineError: The server is away, or refuses us.
        DataError: Another process has the file of Milvus Lite open, or it is none.
    """

    def __init__(self, address: Address) -> None:
        pymilvus, errors = _library(address)
        self.address = address
        self.types = pymilvus.DataType
        self._errors = errors
        self._reading = local()
        self._wrote = False
        self._unsettled: Counter[str] = Counter()
        self._client = self._connected(pymilvus.MilvusClient)
        self.lite = "lite" in str(self.call(self._client.get_server_version))

    def _connected(self, connect: Callable[..., Any]) -> Any:
        token = os.environ.get("XUNZHANG_MILVUS_TOKEN", "")
        options = {
            **{"token": token, "db_name": self.address.database, "timeout": _PATIENCE, "dedicated": True},
            "grpc_options": _CHANNEL,
        }
        for attempt in range(_TRIES):
            try:
                client = connect(self.address.uri, **options)
                _opened[self.address.uri] += 1
                return client
            except self._errors as error:
                if self.address.file is not None and getattr(error, "code", None) != _UNCONNECTED:
                    raise self._locked(error) from error
                if attempt == _TRIES - 1:
                    raise self._away(error) from error
                sleep(_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the connection; of a file of Milvus Lite too, when nobody in this process has it open any more."""
        self._client.close()
        _opened[self.address.uri] -= 1
        if self.address.file is not None and not _opened[self.address.uri]:
            from milvus_lite.server_manager import server_manager_instance  # noqa: PLC0415

            server_manager_instance.release_server(self.address.uri)

    @contextmanager
    def strict(self) -> Iterator[None]:
        """Reads of this thread inside the block see everything that any process wrote before."""
        before = getattr(self._reading, "strict", False)
        self._reading.strict = True
        try:
            yield
        finally:
            self._reading.strict = before

    @property
    def _level(self) -> str:
        if getattr(self._reading, "strict", False):
            return "Strong"
        return "Session" if self._wrote else "Bounded"

    def call(self, work: Callable[..., T], *arguments: Any, patience: float = _PATIENCE, **options: Any) -> T:
        """What ``work`` returns.

        Raises:
            EngineError: Milvus is away, or refused.
        """
        until, pause, loaded = monotonic() + patience, _PAUSE, False
        while True:
            try:
                return work(*arguments, timeout=max(0.1, until - monotonic()), **options)
            except self._errors as error:
                if not loaded and arguments and _NOT_LOADED.search(str(error)):
                    # Released by somebody; or Milvus Lite was started anew, which loads nothing by itself.
                    loaded = True
                    self.load(str(arguments[0]))
                    continue
                # A connection that was lost and is made again: pymilvus gives that up at the first refusal.
                if getattr(error, "code", None) != _UNCONNECTED or monotonic() + pause > until:
                    raise self._away(error) from error
            sleep(pause)
            pause *= 2

    # Rows

    def upsert(self, collection: str, rows: Iterable[Fields], patience: float = _WRITING) -> None:
        """Write rows, those with a known primary key in place of the old."""
        batch: list[Fields] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                self._upsert(collection, batch, patience)
                batch = []
        if batch:
            self._upsert(collection, batch, patience)

    def _upsert(self, collection: str, rows: list[Fields], patience: float) -> None:
        self.call(self._client.upsert, collection, rows, patience=patience)
        self._wrote = True
        self._unsettled[collection] += len(rows)

    def settle(self, collection: str) -> None:
        """Have Milvus Lite put many new rows into a file: of those in memory it makes a sparse index for each search,
        which takes a second for a thousand passages. A server looks after that by itself."""
        if self.lite and self._unsettled[collection] >= _BATCH:
            self.call(self._client.flush, collection, patience=_LONG)
            del self._unsettled[collection]

    def delete(self, collection: str, where: str) -> None:
        """Remove the rows that meet a condition."""
        self.call(self._client.delete, collection, filter=where, patience=_WRITING)
        self._wrote = True

    def query(self, collection: str, where: str, fields: Sequence[str], limit: int = MOST) -> list[Fields]:
        """Rows that meet a condition, in no particular order.

        Args:
            limit: More than ``MOST`` rows are never returned; whoever expects them asks by ranges.
        """
        answer: Iterable[Mapping[str, Any]] = self.call(
            self._client.query,
            collection,
            filter=where,
            output_fields=list(fields),
            limit=limit,
            consistency_level=self._level,
        )
        return [dict(row) for row in answer]

    def every(self, collection: str, fields: Sequence[str], where: str = "") -> Iterator[Fields]:
        """All rows that meet a condition, however many."""
        iterator = self.call(
            self._client.query_iterator,
            collection,
            filter=where,
            batch_size=1_000,
            output_fields=list(fields),
            consistency_level=self._level,
        )
        try:
            while rows := self.call(lambda timeout: iterator.next()):  # noqa: ARG005 - it keeps the first one's
                yield from (dict(row) for row in rows)
        finally:
            iterator.close()

    def count(self, collection: str, where: str = "") -> int:
        """How many rows meet a condition."""
        answer = self.call(
            self._client.query,
            collection,
            filter=where,
            output_fields=["count(*)"],
            consistency_level=self._level,
        )
        return int(answer[0]["count(*)"])

    def search(
        self,
        collection: str,
        field: str,
        vector: Sequence[float] | Mapping[int, float],
        limit: int,
        *,
        metric: str,
        where: str = "",
        fields: Sequence[str] = (),
        effort: int | None = None,
    ) -> list[tuple[int, float, Fields]]:
        """``(number, score, fields)`` of the best rows, best first, from a collection whose key is ``number``.

        Args:
            effort: How many candidates an HNSW index looks at.
        """
        answer = self.call(
            self._client.search,
            collection,
            data=[vector],
            anns_field=field,
            limit=min(limit, MOST),
            filter=where,
            output_fields=list(fields) or ["number"],
            search_params={"metric_type": metric, "params": {} if effort is None else {"ef": effort}},
            consistency_level=self._level,
        )
        return [(int(hit["number"]), float(hit["distance"]), dict(hit["entity"])) for hit in answer[0]]

    # Collections

    def has(self, collection: str) -> bool:
        """Whether there is such a collection."""
        return bool(self.call(self._client.has_collection, collection))

    def collections(self) -> list[str]:
        """The names of all collections of the database."""
        return [str(name) for name in self.call(self._client.list_collections)]

    def create(self, collection: str, fields: Sequence[Fields], indexes: Sequence[Fields]) -> None:
        """Make a collection with its indexes and load it; one that is there stays."""
        if self.has(collection):
            return
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        for field in fields:
            schema.add_field(**field)
        wanted = self._client.prepare_index_params()
        for index in indexes:
            wanted.add_index(**index)
        self.call(self._client.create_collection, collection, schema=schema, patience=_LONG)
        # Without waiting for each index, which takes half a second even where there is nothing to index.
        self.call(self._client.create_index, collection, wanted, patience=_LONG, sync=False)
        self.call(self._client.load_collection, collection, patience=_LONG)

    def load(self, collection: str) -> None:
        """See that a collection that is there can be searched; it may have been released, or its file closed."""
        self.call(self._client.load_collection, collection, patience=_LONG)

    def drop(self, collection: str) -> None:
        """Remove a collection, if it is there."""
        self.call(self._client.drop_collection, collection, patience=_LONG)

    # Aliases: Milvus makes one name once, whoever asks

    def aliases(self, collection: str) -> list[str]:
        """Other names of a collection."""
        return [str(name) for name in self.call(self._client.list_aliases, collection)["aliases"]]

    def name(self, collection: str, alias: str) -> bool:
        """Give a collection another name; ``False`` where the name is taken."""
        try:
            self.call(self._client.create_alias, collection, alias)
        except EngineError:
            if alias in self.aliases(collection):
                return False
            raise
        return True

    def unname(self, alias: str) -> None:
        """Take a name away."""
        self.call(self._client.drop_alias, alias)

    # Errors

    def _away(self, error: Exception) -> EngineError:
        reason = " ".join(str(getattr(error, "message", "") or error).split())[:300].rstrip(".")
        return EngineError(
            f"The engine {self.address.shown} does not answer as it should: {reason}. See that Milvus runs there, and "
            "try again.",
            f"引擎 {self.address.shown} 没有正常应答：{reason}。请确认 Milvus 正在运行，然后重试。",
        )

    def _locked(self, error: Exception) -> DataError:
        if self.address.file is not None and self.address.file.is_file():  # what Milvus Lite makes is a folder
            return DataError(
                f"{self.address.file} was not made by Milvus Lite; choose another name for the archive.",
                f"{self.address.file} 不是由 Milvus Lite 建立的；请为档案另选名称。",
            ).with_traceback(error.__traceback__)
        return DataError(
            f"{self.address.file} cannot be opened by Milvus Lite; probably another process has it open, which only a "
            "Milvus server allows.",
            f"Milvus Lite 无法打开 {self.address.file}；可能另一个进程正在使用它：多进程共用需要 Milvus 服务器。",
        ).with_traceback(error.__traceback__)


def _library(address: Address) -> tuple[Any, tuple[type[Exception], ...]]:
    """pymilvus and what it raises; Milvus Lite has to be there where it is needed."""
    try:
        import grpc  # noqa: PLC0415
        import pymilvus  # noqa: PLC0415 - takes most of a second, and only this engine needs it

        if address.file is not None:
            import milvus_lite  # noqa: F401, PLC0415 - pymilvus' own message names no command of ours
    except ImportError as error:
        raise SettingError(
            f"The engine {address.shown} needs the package {error.name}; install it with: "
            "pip install -r requirements-milvus.txt",
            f"引擎 {address.shown} 需要软件包 {error.name}；请运行：pip install -r requirements-milvus.txt",
        ) from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what goes wrong is raised, and told once
    logging.getLogger("milvus_lite").setLevel(logging.CRITICAL)
    # A call whose time is up raises grpc's error, a channel that was closed ValueError.
    return pymilvus, (pymilvus.MilvusException, grpc.RpcError, OSError, ValueError)


def quoted(value: str) -> str:
    """A string as Milvus' expressions write it."""
    return f'"{value.translate(_ESCAPES)}"'


def listed(values: Iterable[str | int]) -> str:
    """A list as Milvus' expressions write it."""
    return "[" + ", ".join(quoted(value) if isinstance(value, str) else str(value) for value in values) + "]"
