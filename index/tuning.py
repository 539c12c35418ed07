"""What a process that answers searches has and takes: processors, threads of the libraries, collections of Python."""

from __future__ import annotations

import gc
import os
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def one_thread_for_numpy() -> None:
    """Give NumPy's products one thread in this process, from now on.

    Those of an answer are small: spread over the processors they take no less time where the machine is idle, and
    twice the processor time, since OpenBLAS waits for its threads by spinning; beside other processes it becomes five
    times (a search over 182,036 passages, two processors, four processes on them: 17 ms of processor time with one
    thread, 73 to 94 with two; 55 against 188 to 368 ms from end to end). FAISS has a BLAS of its own, left as it is.
    """
    ThreadpoolController().select(prefix="libscipy_openblas").limit(limits=1)


def spare_the_collector() -> None:
    """Have Python look for cycles of objects more seldom, and not among those that stay: a search makes thousands of
    objects and no cycle, and looking through them took a twentieth of its time. Call when all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 10)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
