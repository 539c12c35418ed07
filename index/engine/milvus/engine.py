"""The engine in Milvus, behind ``index.engine.Engine``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from index.engine.milvus.address import Address
from index.engine.milvus.client import Client, listed
from index.engine.milvus.documents import Documents, halves
from index.engine.milvus.editions import Editions
from index.engine.milvus.families import FamilyRows
from index.engine.milvus.files import FileRows
from index.engine.milvus.journal import ALIVE, Journal
from index.engine.milvus.layout import DOCUMENTS, META, PREFIX, TEXTS, create_truth, passages_of
from index.engine.milvus.lease import SECONDS, Lease
from index.engine.milvus.publishing import Publisher
from index.engine.milvus.view import MilvusView
from index.engine.schema import Row
from index.engine.store import Store
from index.engine.transfer import transfer
from index.errors import DataError, NoIndexError
from index.wordtable import WordTable


class MilvusStore(Documents):
    """The truth in Milvus; see ``index.engine.truth.Store``.

    Attributes:
        vectors, files, families: Its parts.
    """

    def __init__(self, client: Client, journal: Journal) -> None:
        super().__init__(client, journal)
        self.vectors = Editions(client, journal, self)
        self.files = FileRows(client, self)
        self.families = FamilyRows(client, journal, self)

    def meta(self, key: str) -> str | None:
        """A setting of the archive, ``None`` where it was never set."""
        return self._journal.safe().settings.get(key)

    def set_meta(self, **values: str) -> None:
        """Store settings of the archive, in a transaction of their own."""
        with self.transaction():
            self.keep(**values)

    def keep(self, **values: str) -> None:
        """Store settings of the archive. Call inside ``transaction()``."""
        self.change.settings.update(values)

    def revision(self) -> int:
        """Counts the transactions; what derived indexes are compared with."""
        return self._journal.safe().revision

    def counts(self) -> tuple[int, int]:
        """How many documents and passages there are."""
        manifest, safe = self._journal.published(), self._journal.safe()
        if manifest is not None and manifest.revision == safe.revision:
            return manifest.documents, manifest.passages
        rows = [row for some in self.ranges(("passages",)) for row in some]
        return len(rows), sum(int(row["passages"]) for row in rows)

    def repeats(self, rows: Sequence[Row], limit: int) -> dict[int, list[Row]]:
        """By number of each passage those with its text or a repeat of it, itself among them, first come first."""
        said = {row.number: halves(row.key)[0] for row in rows}
        like = self.families.like(sorted(set(said.values())))
        wanted = sorted({text for texts in like.values() for text in texts})
        found: dict[int, list[Row]] = {}
        if wanted:
            of_text: dict[int, list[int]] = {}
            for row in self._client.query(TEXTS, f"said in {listed(wanted)}", ("number", "said")):
                of_text.setdefault(int(row["said"]), []).append(int(row["number"]))
            numbers = [number for each in of_text.values() for number in sorted(each)[:limit]]
            for other in self.rows(numbers).values():
                found.setdefault(halves(other.key)[0], []).append(other)
        result: dict[int, list[Row]] = {}
        for number, text in said.items():
            others = [other for each in like[text] for other in found.get(each, ())]
            result[number] = sorted(others, key=lambda row: row.number)[:limit]
        return result


class MilvusEngine:
    """An archive in Milvus; see ``index.engine.Engine`` for what its methods promise.

    Args:
        address: Of the Milvus.
        data: What belongs to this machine: API keys, and the model where the archive was adapted.
        create: Make the archive where there is none.
        seconds: How long a writer that is not heard of is waited for.

    Raises:
        NoIndexError: There is no archive at the address and ``create`` is false.
        EngineError: Milvus does not answer.
        SettingError: pymilvus is not installed.
        DataError: The file of Milvus Lite cannot be made there, or is none.
    """

    def __init__(self, address: Address, data: Path, *, create: bool, seconds: float = SECONDS) -> None:
        if address.file is not None:
            if not create and not address.file.exists():
                raise _no_index(address, data)
            _make_parent(address.file)
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self._address = address
        self._client = Client(address)
        try:
            if not create and not self._client.has(META):
                raise _no_index(address, data)
            create_truth(self._client)
            self._lease = Lease(self._client, seconds)
            self._journal = Journal(self._client, self._lease)
            self.store = MilvusStore(self._client, self._journal)
            self._publisher = Publisher(self._client, self._journal, self.store, self.store.vectors)
            # Collections may have been released, and Milvus Lite has none in memory when it is opened.
            for name in self._client.collections():
                if name.startswith(PREFIX):
                    self._client.load(name)
        except BaseException:
            self._client.close()
            raise
        self._opening = Lock()
        self._view: MilvusView | None = None

    @property
    def name(self) -> str:
        """The address, as the user gave it."""
        return self._address.shown

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    @contextmanager
    def writing(self, timeout: float = 10.0) -> Iterator[None]:
        """Be the one writer, over all processes and machines.

        Raises:
            BusyError: Another one is writing and went on for ``timeout`` seconds.
        """
        self._lease.acquire(timeout)
        try:
            with self._client.strict():
                self._journal.begin()
                yield
        finally:
            self._lease.release()

    def view(self) -> MilvusView | None:
        """The generation that is published now, ``None`` before the first."""
        manifest = self._journal.published()
        if manifest is None:
            return None
        with self._opening:
            if self._view is None or self._view.manifest != manifest:
                self._view = MilvusView(self._client, manifest, self.store, self.store.families)
            return self._view

    def salvage(self) -> bool:
        """Nothing to do: Milvus keeps what is published whole."""
        return False

    def is_current(self, fingerprint: str, table: str) -> bool:
        """Whether the published generation covers all of the store, with these models."""
        manifest = self._journal.published()
        return (
            manifest is not None
            and manifest.revision == self._journal.safe().revision
            and (manifest.fingerprint, manifest.table) == (fingerprint, table)
        )

    def publish(
        self, fingerprint: str, dimension: int, table: WordTable, *, anew: bool = False, waiting: bool = False
    ) -> None:
        """Bring what is searched in step with the store. Call inside ``writing()``."""
        self.store.families.finish()
        self._publisher.publish(fingerprint, dimension, table, anew=anew, waiting=waiting)

    def damage(self) -> list[str]:
        """Nothing: the bytes are Milvus' to check."""
        return []

    def problems(self) -> list[str]:
        """What is published otherwise than stored, in English sentences."""
        with self._client.strict():
            manifest = self._journal.published()
            stored: set[int] = set()
            documents: set[int] = set()
            broken = 0
            for some in self.store.ranges(("passages",)):
                documents.update(int(row["number"]) for row in some)
                expected = sum(int(row["passages"]) for row in some)
                rows = [row.number for texts in self.store.texts_of(some) for row in texts]
                broken += expected != len(rows)
                stored.update(rows)
            published: set[int] = set()
            if manifest is not None:
                every = self._client.every(passages_of(manifest.edition), ("number",))
                published = {int(row["number"]) for row in every}
            orphans = [row for row in self._client.every(TEXTS, ("document",)) if int(row["document"]) not in documents]
            gone = self._client.count(DOCUMENTS, f"gone > {ALIVE}")
        found = [
            (broken, "ranges of documents have other passages than they should"),
            (len(stored - published), "stored passages are not in the published index"),
            (len(published - stored), "passages of the published index are no longer stored"),
            (len(orphans) if not gone else 0, "passages belong to no document"),
        ]
        return [f"{count} {what}" for count, what in found if count]

    def options(self) -> str:
        """What a command needs to find this archive."""
        return f"--data {self.data} --engine {self.name}"

    def copy_to(self, file: Path) -> None:
        """Write the truth into a new SQLite file. Milvus has no old states, so writers wait meanwhile."""
        with closing(Store(file)) as target, self.writing():
            transfer(self.store, target)

    def tidy(self) -> None:
        """Nothing to do: Milvus gives back room by itself."""

    def size(self) -> int:
        """Bytes of the file of Milvus Lite; 0 for a server, which knows better."""
        if self._address.file is None:
            return 0
        return sum(file.stat().st_size for file in self._address.file.rglob("*") if file.is_file())


def _make_parent(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise DataError(
            f"The folder of {file} cannot be made: {why}; choose another file with --engine milvus:/PATH/FILE.db.",
            f"无法建立 {file} 所在的文件夹：{why}；请用 --engine milvus:/路径/文件.db 另选文件。",
        ) from error


def _no_index(address: Address, data: Path) -> NoIndexError:
    command = f"python -m scripts.build_index PATH --data {data} --engine {address.shown}"
    return NoIndexError(
        f"There is no index in {address.shown}; make one with: {command}",
        f"{address.shown} 中没有索引；请先运行：{command.replace('PATH', '路径')}",
    )
