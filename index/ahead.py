"""Embedding passages while documents are still being read, in a process of its own.

Reading, cutting and storing keep one processor busy, and so does embedding by a table of words: one after the other,
an archive takes a third as long again as side by side. What the other process does not embed, for whatever reason, is
embedded afterwards by this one: nothing depends on it.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from index.companion import Companion, GoneError, attend
from index.embedding import Encoder, is_table, open_encoder
from index.errors import XunzhangError
from index.model_cards import ModelCard
from index.model_choice import table_beside
from index.staging import Batch, Text
from index.telling import LOG
from index.tuning import processors
from index.wordtable import WordTable

# Passages from which it pays: the other process takes four seconds to load the model, which this one then need not.
ENOUGH = 16_384
_STRIDE = 4_096  # passages at once
_GIVEN = 2  # strides handed over, so that it need not wait for the next
_MOST = 65_536  # passages that wait for that, some 50 MB; those before them are left for later
_READY, _PATIENCE = 120.0, 120.0  # seconds to load the model, and for an answer, which takes a fraction of one

Answer = tuple[npt.NDArray[np.float16], npt.NDArray[np.uint32], npt.NDArray[np.int64]]  # vectors, tokens, counts


class Ahead:
    """Embeds what it is given, once there is so much that it pays.

    Args:
        card: Gives the card of the archive's model.
        encoder, table: Give the model and the word table beside it, whose files stay as they are meanwhile.
        known: Tells which of some keys have their vectors.
    """

    def __init__(
        self,
        card: Callable[[], ModelCard],
        encoder: Callable[[], Encoder],
        table: Callable[[], WordTable],
        known: Callable[[Sequence[bytes]], set[bytes]],
    ) -> None:
        self._card = card
        self._models = encoder, table
        self._known = known
        self._off = processors() < 2
        self._begun = False
        self._process: Companion[list[str], Answer] | None = None
        self._thread = ThreadPoolExecutor(1, "embedding ahead")
        self._collected: list[Text] = []
        self._given: deque[tuple[list[bytes], Future[Answer | None]]] = deque()

    def offer(self, texts: Sequence[Text]) -> None:
        """Take passages that were just stored."""
        if self._off:
            return
        self._collected += texts
        if not self._begun and len(self._collected) >= ENOUGH:
            self._begun = is_table(self._card())  # torch gives a transformer all processors
            self._off = not self._begun
        if self._begun:
            self._hand_over(at_least=_STRIDE)
            del self._collected[:-_MOST]

    def done(self, *, wait: bool = False) -> Iterator[Batch]:
        """What has been embedded and was not given out before, ``wait`` for all there is."""
        least = 1 if wait else _STRIDE
        if self._begun:
            self._hand_over(at_least=least)
        while self._given and (wait or self._given[0][1].done()):
            self._hand_over(at_least=least)
            keys, given = self._given.popleft()
            answer = given.result()
            if answer is not None:
                vectors, tokens, counts = answer
                yield keys, vectors, np.split(tokens, np.cumsum(counts)[:-1])

    def _hand_over(self, *, at_least: int) -> None:
        while len(self._collected) >= at_least and len(self._given) < _GIVEN:
            some, self._collected = self._collected[:_STRIDE], self._collected[_STRIDE:]
            if fresh := self._fresh(some):
                whole = [f"{title}\n{text}" if title else text for _, title, text in fresh]
                try:
                    asked = self._thread.submit(self._ask, whole)
                except RuntimeError:  # Python is ending, and this thread is left to itself
                    self._off = True
                    return
                self._given.append(([key for key, _, _ in fresh], asked))

    def _fresh(self, texts: Sequence[Text]) -> list[Text]:
        """Those that nobody has embedded, once each."""
        given = {key for keys, _ in self._given for key in keys}
        by_key = {text[0]: text for text in texts if text[0] not in given}
        known = self._known(list(by_key))
        return [text for key, text in by_key.items() if key not in known]

    def close(self) -> None:
        """End the other process."""
        self._off = True
        if self._process is not None:  # whoever waits for its answer is told
            self._process.close()
        self._thread.shutdown(cancel_futures=True)
        if self._process is not None:  # it was just being started
            self._process.close()

    def _ask(self, texts: list[str]) -> Answer | None:
        try:
            if self._process is None and not self._off:
                self._process = self._started()
            if self._process is not None and not self._off:
                return self._process.ask(texts, seconds=_PATIENCE)
        except (GoneError, OSError, XunzhangError) as error:
            if not self._off:
                LOG.info("Passages are embedded after they are all stored, and not meanwhile: %s", error)
            self._off = True
        return None

    def _started(self) -> Companion[list[str], Answer]:
        encoder, table = self._models[0](), self._models[1]()
        models = encoder.card, (encoder.fingerprint, table.fingerprint)
        return Companion(__name__, pickle.dumps(models).hex(), seconds=_READY)


def main() -> None:
    """Be the other process."""
    attend(_begin)


def _begin(argument: str) -> Callable[[list[str]], Answer]:
    card, fingerprints = pickle.loads(bytes.fromhex(argument))  # noqa: S301 - by the process that started this one
    os.environ["OMP_NUM_THREADS"] = str(max(1, processors() - 1))  # of torch, yet to be loaded: one reads and stores
    try:
        encoder, table = open_encoder(card), table_beside(card)
    except XunzhangError:
        sys.exit(1)  # what is wrong is wrong there too, and said once
    if (encoder.fingerprint, table.fingerprint) != fingerprints:
        sys.exit(2)

    def answer(texts: list[str]) -> Answer:
        ids = table.ids(texts)
        try:
            vectors = encoder.documents(texts, ids).astype(np.float16)
        except Exception:  # of torch, or of loading it
            sys.exit(1)
        return vectors, np.concatenate(ids), np.array([len(each) for each in ids], np.int64)

    return answer
