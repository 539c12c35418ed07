"""Moving an archive from one engine to another, without reading or embedding anything again."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from index.corpus import Corpus
from index.document import Status
from index.engine import Engine
from index.engine.opening import open_engine
from index.engine.transfer import transfer
from index.errors import DataError
from index.model_choice import ADAPTED
from index.telling import Progress, silent


def move(data: Path, origin: str, destination: str, *, into: Path | None = None, progress: Progress = silent) -> Status:
    """Carry the archive in one engine into another, where there is none yet, and publish it there.

    The old one stays as it is. What was carried before an interruption need not be carried again.

    Args:
        data: The data directory; keys and an adapted model in it serve both engines.
        origin, destination: ``local`` or ``milvus:...``.
        into: The data directory of the new archive, if that is to be another one.

    Returns:
        What the new archive holds.

    Raises:
        DataError: There is another archive already, or some of the old one did not arrive.
        BusyError: Another process is writing to one of them.
        EngineError: A Milvus does not answer.
    """
    data = data.expanduser().absolute()
    place = data if into is None else into.expanduser().absolute()
    if (origin, data) == (destination, place):
        raise DataError(f"The archive is in {destination} already.", f"档案已经在 {destination} 中。")
    with (
        closing(open_engine(origin, data, create=False)) as old,
        closing(open_engine(destination, place, create=True)) as new,
    ):
        if new.store.meta("model") is not None or (new.store.meta("moving") != "1" and new.store.counts()[0]):
            raise DataError(
                f"There is an archive in {destination} ({place}) already; move it away first.",
                f"{destination}（{place}）中已有档案；请先移走它。",
            )
        _carry_model(old, place)
        with old.writing(), new.writing():
            new.store.set_meta(moving="1")
            transfer(old.store, new.store, lambda done, total: progress("move", done, total))
            new.store.set_meta(moving="0")
            counts = old.store.counts()
    with closing(Corpus.open(place, engine=destination)) as corpus:
        corpus.catch_up(progress=progress)
        status = corpus.status()
    if (status.documents, status.passages) != counts:
        raise DataError(
            f"Of {counts[0]} documents with {counts[1]} passages {status.documents} with {status.passages} arrived in "
            f"{destination}; the old archive is as it was.",
            f"{counts[0]} 篇文档、{counts[1]} 个段落中，只有 {status.documents} 篇、{status.passages} 段到达 "
            f"{destination}；原档案没有改动。",
        )
    return status


def _carry_model(old: Engine, place: Path) -> None:
    """Copy the model of an adapted archive into another data directory; without it nothing is published there."""
    name = old.store.meta("model") or ""
    if ADAPTED.fullmatch(name) and (old.data / name).is_dir() and old.data != place:
        shutil.copytree(old.data / name, place / name, dirs_exist_ok=True)
