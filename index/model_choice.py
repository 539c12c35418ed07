"""The embedding model of one archive: which it is, its encoder, and the word table that works beside it.

An archive adapted to its own texts keeps its model in its own folder, ``DATA/adapted-...``; every other model is
one of ``embedding.MODELS`` or a folder elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread
from time import monotonic

from index.backends import BACKENDS, EMBEDDER, chosen_backend, computed_by, drop_graphs, usual_backend
from index.embedding import Encoder, graph_key, is_table, open_encoder
from index.engine import Engine
from index.engine.opening import LOCAL
from index.errors import ModelError, ModelMismatchError, SettingError, XunzhangError
from index.model_cards import COMPACT, DEFAULT_MODEL, ModelCard, chosen_name, gone_name, model_card, stored_card
from index.telling import Reasons
from index.wordtable import WordTable

_PAUSE = 30.0  # seconds that queries go without a model that could not be loaded
# Names of adapted models, and of their folders in the data directory.
ADAPTED = re.compile(r"adapted-[0-9a-f]{8}")


def adapted_name(fingerprint: str) -> str:
    """The name of an archive's adapted model, also that of its folder in the data directory."""
    return f"adapted-{fingerprint[:8]}"


def asked_name(name: str, archive: Callable[[], Engine]) -> str:
    """The whole name of a model that was asked for, as ``chosen_name`` gives it.

    A model that is gone is taken too where the archive there was made with it, which is answered by words then, as it
    is when nobody names its model.

    Args:
        archive: Opens what is there.

    Raises:
        SettingError: There is no such model, and no documents that it was used for.
    """
    try:
        return chosen_name(name)
    except SettingError:
        with suppress(XunzhangError), closing(archive()) as engine:
            stored = engine.store.meta("model")
            if stored is not None and stored in (name, gone_name(name)) and engine.store.counts()[0]:
                return stored
        raise


def table_beside(card: ModelCard) -> WordTable:
    """The word table that works beside a model: the adapted one's own, else, or while it is not there, the bundled."""
    return _own_table(card) or WordTable.load(COMPACT)


def _own_table(card: ModelCard) -> WordTable | None:
    """The table of an adapted model; ``None`` for other models, and where its folder is absent or not whole yet."""
    location = Path(card.location)
    if ADAPTED.fullmatch(card.name) is None or not WordTable.fits(location):
        return None
    try:
        table = WordTable.load(location)
    except Exception:  # what tokenizers raise of half a file, as while the folder is being copied
        return None
    return table if adapted_name(table.fingerprint) == card.name else None


class ModelChoice:
    """The model of an archive, loaded when it is first needed; safe to share between threads.

    Args:
        asked: What the user chose, ``None`` for the archive's own.

    Raises:
        SettingError: There is no such model, or no such backend.
        ModelMismatchError: The archive was made with another one.
    """

    def __init__(self, engine: Engine, asked: str | None) -> None:
        self._engine = engine
        self._chosen_backend = chosen_backend(os.environ)
        self._lock, self._table_lock = Lock(), Lock()
        self._encoder: Encoder | None = None
        self._table: tuple[str, WordTable] | None = None  # and the name of the model it works beside
        self._followed = ""  # the fingerprint that ``name`` is known to be of
        self._keyed: tuple[str, str] | None = None
        self._failure: tuple[float, XunzhangError] | None = None
        self._reasons = Reasons("Searches go by words alone")
        stored = engine.store.meta("model")
        adapted = stored is not None and ADAPTED.fullmatch(stored) is not None
        # Adaptation belongs to the archive: asking for the bundled model does not undo it.
        kept = adapted and asked in (DEFAULT_MODEL, stored)
        same = kept or asked == stored  # by its name alone: its folder may be gone
        if asked and stored and not same and not _agree(model_card(asked), self.card_of(stored)):
            raise _mismatch(engine, stored, asked)
        self.name = stored or asked or DEFAULT_MODEL
        if stored is None:  # an archive whose model is gone still answers by words
            model_card(self.name)

    @property
    def card(self) -> ModelCard:
        """What is known of the model."""
        return self.card_of(self.name)

    def card_of(self, name: str) -> ModelCard:
        """The card of a model by its name, this archive's adapted one included.

        An archive keeps to the commit of a hub model that its vectors are from, whatever the hub has meanwhile.
        """
        if ADAPTED.fullmatch(name):
            return replace(model_card(DEFAULT_MODEL), name=name, location=str(self._engine.data / name))
        card = stored_card(name)
        if card.revision is None and name == self._engine.store.meta("model"):
            return replace(card, revision=self._engine.store.meta("commit") or None)
        return card

    def encoder(self) -> Encoder:
        """The embedding model, loaded when it is first needed.

        Raises:
            ModelError: It cannot be loaded.
            ModelMismatchError: Its files are not those the archive was made with.
        """
        with self._lock:
            if self._encoder is None:
                try:
                    self._encoder = self._loaded()
                except XunzhangError as error:
                    self._failure = monotonic(), error
                    raise
                self._followed = self._encoder.fingerprint
                self._reasons.forget()
            return self._encoder

    def _backend(self, card: ModelCard) -> str:
        return self._chosen_backend or usual_backend(card.backend)

    def _loaded(self) -> Encoder:
        encoder = open_encoder(self.card, self._backend(self.card), self._engine.data)
        stored = self._engine.store.meta("fingerprint")
        if stored is not None and stored != encoder.fingerprint:
            raise _changed(self._engine, self.name)
        return encoder

    def _try_again(self) -> None:
        with suppress(XunzhangError):  # then it is tried again after another pause
            self.encoder()

    def encoder_of(self, fingerprint: str) -> Encoder:
        """The embedding model for a query: one that could not be loaded is tried again beside it.

        Args:
            fingerprint: Of the model that the published vectors are from.

        Raises:
            ModelError: It cannot be loaded, or there are no vectors of it yet.
            ModelMismatchError: Its files are not those the archive was made with.
        """
        encoder = self._encoder
        if encoder is None and self._failure is not None:
            since, error = self._failure
            if not self._lock.locked() and monotonic() - since >= _PAUSE:
                self._failure = monotonic(), error  # so that only one is at it
                Thread(target=self._try_again, name="model", daemon=True).start()
            raise error
        encoder = encoder or self.encoder()
        if encoder.fingerprint != fingerprint:
            raise ModelError(
                f"The index in {self._engine.data} has no vectors of {self.name} yet; make them with: "
                f"python -m scripts.manage encode {self._engine.options()}",
                f"{self._engine.data} 中的索引还没有模型 {self.name} 的向量；请运行："
                f"python -m scripts.manage encode {self._engine.options()}",
            )
        return encoder

    def backend(self) -> tuple[str, str]:
        """What computes the model, in English and in Chinese; loads nothing."""
        if is_table(self.card):
            return "its own table", "自带的词表"
        backend = self._backend(self.card)
        if backend == BACKENDS[0]:
            return backend, backend
        if self._keyed is None or self._keyed[0] != self.name:  # reads megabytes, and services are asked often
            self._keyed = self.name, graph_key(self.card)
        return computed_by(self._engine.data, EMBEDDER, backend, self._keyed[1])

    @property
    def is_light(self) -> bool:
        """Whether the model is loaded, and every process may have one of its own."""
        return self._encoder is not None and self._encoder.light

    def failed(self, error: Exception) -> None:
        """Say in the log why a query goes without this model."""
        self._reasons.tell(error)

    @property
    def table(self) -> WordTable:
        """The word table, for late interaction and marking beside any model: the adapted one or the bundled one."""
        if (kept := self._table) is not None and kept[0] == self.name:
            return kept[1]
        with self._table_lock:  # a model may be at its loading for long, and words do without it
            card = self.card
            own = _own_table(card)
            table = own or table_beside(card)
            if own is not None or ADAPTED.fullmatch(card.name) is None:  # else its folder may still be copied here
                self._table = card.name, table
            return table

    @property
    def is_elsewhere(self) -> bool:
        """Whether the archive, which other machines work on too, is adapted, and its model not on this machine."""
        if self._engine.name == LOCAL or ADAPTED.fullmatch(self.name) is None:
            return False
        return (self._table is None or self._table[0] != self.name) and _own_table(self.card) is None

    def check_here(self) -> None:
        """See that this machine has what it takes to write to the archive.

        Raises:
            ModelError: The archive is adapted, and its model is on other machines only: what would be published from
                here would have other words than the rest.
        """
        if self.is_elsewhere:
            where, name, folder = self._engine.name, self.name, self._engine.data / self.name
            raise ModelError(
                f"The archive in {where} is adapted, and its model is not on this machine; before writing from here, "
                f"copy the folder {name} from the data directory of the machine that adapted it to {folder}.",
                f"{where} 中的档案已适配，但本机没有它的模型；要从本机写入，请先把执行适配的机器的数据目录中的文件夹 "
                f"{name} 复制为 {folder}。",
            )

    def open(self, asked: str | None) -> Encoder:
        """An encoder for a model that may become the archive's, ``None`` for its own as it is now.

        Raises:
            SettingError: There is no such model.
            ModelError: It cannot be loaded.
        """
        name = asked or self.name
        if ADAPTED.fullmatch(name):
            return open_encoder(self.card_of(name))
        card = model_card(chosen_name(asked) if asked else name)
        return open_encoder(card, self._backend(card), self._engine.data)

    def switch(self, encoder: Encoder) -> None:
        """Go over to another model."""
        with self._lock:
            self.name, self._encoder, self._followed = encoder.card.name, encoder, encoder.fingerprint

    def follow(self, fingerprint: str, *, wait: bool = False) -> None:
        """Go over to the model that another process made the published indexes with.

        Args:
            wait: Also where a model is just being loaded, which may take long: a search goes over later.
        """
        if not fingerprint or fingerprint == self._followed:
            return
        stored = self._engine.store.meta("model")
        if stored is None or self._engine.store.meta("fingerprint") != fingerprint:
            return
        if stored == self.name and self._encoder is None:  # the model is known, and was not loaded or cannot be
            self._followed = fingerprint
        elif self._lock.acquire(blocking=wait or self._encoder is not None):
            try:
                if fingerprint != self._followed:
                    self.name, self._encoder, self._failure = stored, None, None
                    self._followed = fingerprint
            finally:
                self._lock.release()

    def drop_others(self) -> None:
        """Remove the adapted models, and the graphs of models, that are no longer the archive's."""
        drop_graphs(self._engine.data, EMBEDDER, graph_key(self.card))
        for folder in self._engine.data.glob("adapted-*"):
            if ADAPTED.fullmatch(folder.name) and folder.name != self.name:
                shutil.rmtree(folder, ignore_errors=True)


def _agree(asked: ModelCard, stored: ModelCard) -> bool:
    """Whether a model asked for is the archive's: a commit nobody asks for is any."""
    return asked == replace(stored, name=asked.name, revision=asked.revision) and (
        asked.revision is None or asked.revision == stored.revision
    )


def _changed(engine: Engine, model: str) -> ModelMismatchError:
    data, command = engine.data, f"python -m scripts.manage rebuild {engine.options()}"
    return ModelMismatchError(
        f"The files of the model {model} are not those the index in {data} was made with; to use the new ones run: "
        f"{command}",
        f"模型 {model} 的文件与建立 {data} 中的索引时不同；要使用新文件，请运行：{command}",
    )


def _mismatch(engine: Engine, stored: str, asked: str) -> ModelMismatchError:
    data, command = engine.data, f"python -m scripts.manage rebuild {engine.options()} --model {asked}"
    return ModelMismatchError(
        f"The index in {data} was made with the model {stored}, not {asked}; to change it run: {command}",
        f"{data} 中的索引由模型 {stored} 建立，而不是 {asked}；如要更换，请运行：{command}",
    )
