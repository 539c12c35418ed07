"""An opened archive and the threads of the libraries beneath it."""

from __future__ import annotations

from pathlib import Path

from threadpoolctl import threadpool_info

from index.corpus import Corpus


def test_numpy_multiplies_with_one_thread_once_an_archive_is_open(tmp_path: Path) -> None:
    Corpus.open(tmp_path, create=True).close()
    # SciPy, which other tests load, brings one of the same name.
    pools = [pool for pool in threadpool_info() if Path(pool["filepath"]).parent.name == "numpy.libs"]
    threads = [pool["num_threads"] for pool in pools if pool["prefix"] == "libscipy_openblas"]
    assert threads == [1], "NumPy no longer brings OpenBLAS under this name: index/tuning.py limits nothing"
