"""How many threads the libraries beneath an answer may use."""

from __future__ import annotations

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
