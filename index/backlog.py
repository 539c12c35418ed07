"""Embedding what has no vector yet: while everybody waits where that is soon done, beside everything else where not.

A transformer embeds some tens of passages a second on a CPU, so that an archive takes hours. Words find everything
meanwhile: vectors are computed without keeping other writers out, stored some hundred at a time, and published now and
then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from index.ahead import Ahead
from index.document import Document, Passage
from index.embedding import Encoder, is_table
from index.engine.schema import passage_key
from index.errors import BusyError, ModelError, ModelMismatchError, StorageError
from index.staging import Batch, Text, discard, staged, staging
from index.telling import Progress
from index.wordtable import Ids, WordTable

if TYPE_CHECKING:
    from index.engine import Engine
    from index.model_cards import ModelCard

# What an addition embeds before it returns: everything that waits; only what it brought itself; or as "all" where
# that is soon done, and where it is not nothing but what words need.
Embed = Literal["all", "own", "soon"]

FEW = 1_000  # passages that are soon embedded: e5-small takes 17 s on two cores
_READ = 8_192  # passages read at once
_DOCUMENTS = 256  # cut at once
_TAKEN = 4_096  # vectors stored at once
_FIRST_PAUSE, _LONGER = 120.0, 4.0  # seconds until what there is is published, each time so many times longer
PATIENT = 86_400.0  # seconds: whoever writes meanwhile is waited for


class Backlog:
    """What waits for its vectors in one archive.

    Args:
        encoder: Gives the embedding model, loading it when it is first needed.
        table: The bundled word table.
    """

    def __init__(self, engine: Engine, encoder: Callable[[], Encoder], table: Callable[[], WordTable]) -> None:
        self._engine = engine
        self._store = engine.store
        self._encoder = encoder
        self._table = table
        self._alone = FileLock(engine.data / "embedding.lock")

    def is_long(self, card: ModelCard) -> bool:
        """Whether it takes the model long, and nothing that is published would be lost by publishing words first."""
        view = self._engine.view()
        same = view is None or view.fingerprint in ("", self._store.meta("fingerprint"))
        return same and not is_table(card) and self._store.vectors.pending() > FEW

    def begin(self) -> int:
        """Load the model and write down which it is; returns the dimension of its vectors.

        Raises:
            ModelError: It cannot be loaded.
            ModelMismatchError: Its files are not those the archive was made with.
        """
        encoder = self._encoder()
        stored = self._store.meta("fingerprint")
        if not stored:
            self._store.set_meta(fingerprint=encoder.fingerprint, commit=encoder.commit)
        elif stored != encoder.fingerprint:
            raise ModelMismatchError(
                f"The archive in {self._engine.data} has gone over to another model meanwhile; try again.",
                f"{self._engine.data} 中的档案在此期间改用了其他模型；请重试。",
            )
        return encoder.dimension

    def embed(self, tell: Progress, newest: int | None = None) -> int:
        """Embed all that waits, or of the newest that many; call inside ``writing()``. What was stored before an
        interruption or error stays.

        Raises:
            ModelError, ModelMismatchError: As ``begin`` does.
        """
        waiting = self._store.vectors.waiting(newest, newest=newest is not None)
        if not waiting and self._store.meta("fingerprint"):
            return 0
        if waiting:  # loading the model is of this stage
            tell("encode", 0, len(waiting))
        self.begin()
        stride = self._encoder().stride
        for start in range(0, len(waiting), stride):
            batch = waiting[start : start + stride]
            self._store.vectors.put(*self._vectors(batch))
            tell("encode", start + len(batch), len(waiting))
        return len(waiting)

    def ahead(self, card: Callable[[], ModelCard]) -> Ahead:
        """What embeds passages while others are being stored, by the model with this card; to be closed."""
        return Ahead(card, self._encoder, self._table, self._store.vectors.known)

    def keep(self, batches: Iterable[Batch]) -> int:
        """Store what was embedded ahead; call inside ``writing()``. Returns how many passages that were."""
        kept = 0
        # What is wrong here is wrong in ``embed`` too, which says so once the documents are stored.
        with suppress(ModelError, ModelMismatchError, StorageError):
            for batch in batches:
                self.begin()
                self._store.vectors.put(*batch)
                kept += len(batch[0])
        return kept

    def work_off(self, tell: Progress, publish: Callable[[], None], *, wait: bool) -> int:
        """Embed all that waits while others read and write; returns how many passages that were.

        Args:
            publish: Publishes what there is; called inside ``writing()`` now and then, and not at the end.
            wait: Also where another process is at it, which is waited for.

        Raises:
            BusyError: Another process is at it, and ``wait`` is false.
            ModelError: The model failed; what was stored stays.
            ModelMismatchError: The archive has gone over to another model meanwhile.
        """
        with self._held(-1 if wait else 0.2):
            return self._work_off(tell, publish)

    def work_ahead(self, cut: Callable[[int, Document], Sequence[Passage]], tell: Progress) -> None:
        """Embed all that is stored while the archive stays as it is, and others read and write; ``take_staged`` then
        puts what was computed into it. What an interruption leaves is not computed again.

        Args:
            cut: Gives the passages that a document is going to have, by its number.

        Raises:
            BusyError: Somebody else is at it.
            ModelError: The model failed.
            StorageError: The disk is full.
        """
        encoder = self._encoder()
        seen = 0
        with staging(self._engine.data, encoder.fingerprint, encoder.card.name) as ahead:
            while new := [number for number in self._store.document_numbers() if number > seen]:
                for start in range(0, len(new), _DOCUMENTS):
                    documents = self._store.documents(new[start : start + _DOCUMENTS])
                    ahead.want(self._unknown([one for each in documents.items() for one in cut(*each)], encoder))
                    tell("read", min(start + _DOCUMENTS, len(new)), len(new))
                seen = new[-1]
                before, _ = ahead.counts()
                while some := ahead.waiting(_READ):
                    for start in range(0, len(some), encoder.stride):
                        tell("encode", *ahead.counts())
                        ahead.put(*self._vectors(some[start : start + encoder.stride]))
                done, total = ahead.counts()
                tell("encode", done, total)
                if done - before <= FEW:  # what comes meanwhile is embedded with what comes later
                    break

    def _unknown(self, passages: Sequence[Passage], encoder: Encoder) -> list[Text]:
        """Those of the passages that the archive has no vector of this model of."""
        texts = {passage_key(one.text, one.title): (one.title, one.text) for one in passages}
        same = self._store.meta("fingerprint") == encoder.fingerprint
        known = self._store.vectors.known(list(texts)) if same else set()
        return [(key, *text) for key, text in texts.items() if key not in known]

    def take_staged(self) -> None:
        """Store what ``work_ahead`` computed of the archive's model; call inside ``writing()``."""
        with staged(self._engine.data, self._store.meta("fingerprint") or "") as ahead:
            if ahead is None:
                return
            for batch in ahead.batches(_TAKEN):
                self._store.vectors.put(*batch)
        self._store.vectors.drop_unused()  # of what was removed or replaced meanwhile
        discard(self._engine.data)

    def check_alone(self) -> None:
        """See that nobody is working it off.

        Raises:
            BusyError: Somebody is, in this process or another.
        """
        with self._held(0):
            pass

    @contextmanager
    def _held(self, timeout: float) -> Iterator[None]:
        try:
            self._alone.acquire(timeout=timeout)
        except Timeout as error:
            raise BusyError(
                f"Another process is embedding the passages in {self._engine.data}; nothing has to be done.",
                f"另一个进程正在为 {self._engine.data} 中的段落计算向量；无需另行处理。",
            ) from error
        except OSError:  # of a disk that can only be read; whoever writes says so
            yield
            return
        try:
            yield
        finally:
            self._alone.release()

    def _work_off(self, tell: Progress, publish: Callable[[], None]) -> int:
        done, total = 0, self._store.vectors.pending()
        stride = self._encoder().stride
        pause = _FIRST_PAUSE
        due = monotonic() + pause
        while some := self._store.vectors.waiting(_READ):
            for start in range(0, len(some), stride):
                tell("encode", done, max(total, done))
                batch = self._vectors(some[start : start + stride])
                with self._engine.writing(timeout=PATIENT):
                    self.begin()  # or another model was chosen meanwhile
                    self._store.vectors.put(*batch)
                    if monotonic() >= due:
                        publish()
                        pause *= _LONGER
                        due = monotonic() + pause
                done += len(batch[0])
        tell("encode", done, max(total, done))
        return done

    def _vectors(self, batch: Sequence[Text]) -> tuple[list[bytes], npt.NDArray[np.float16], list[Ids]]:
        texts = [f"{title}\n{text}" if title else text for _, title, text in batch]
        ids = self._table().ids(texts)
        vectors = self._encoder().documents(texts, ids).astype(np.float16)
        return [key for key, _, _ in batch], vectors, ids
