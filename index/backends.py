"""What computes a transformer: torch, or a graph of ONNX Runtime, made once and kept in the data directory.

Vectors of all backends go together: an archive embedded with one is searched with another.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from index.errors import SettingError
from index.model_cards import read_object
from index.telling import LOG, tell_step
from index.workplace import workplace

# ONNX Runtime from 1.29 on tells Microsoft of its use, unless this is said before it is imported. The version that is
# pinned cannot; whoever installs another is spared it too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

BACKENDS = ("torch", "onnx", "int8")
PROOF = "proof.json"  # how near the vectors come, or why there is no graph
EMBEDDER, RERANKER = "embedder", "reranker"
GRAPHS = "onnx"  # how names of all of it begin in a data directory
_MAKING, _LOCK = "onnx.making-", "onnx.lock"
_PATIENCE = 600.0  # seconds that another process may take to make the same graph
_COMMAND = "from index.onnx_export import main; main()"
_NVIDIA = Path("/dev/nvidiactl")  # there where NVIDIA's driver is
_ROOT = Path(__file__).resolve().parents[1]


def chosen_backend(environ: Mapping[str, str]) -> str | None:
    """From ``XUNZHANG_BACKEND``; ``None`` where it is not set.

    Raises:
        SettingError: There is no such backend.
    """
    name = environ.get("XUNZHANG_BACKEND", "").strip() or None
    if name not in (None, *BACKENDS):
        choices = ", ".join(BACKENDS)
        raise SettingError(
            f"The setting XUNZHANG_BACKEND is {name!r}, but it must be one of {choices}: correct it or leave it out.",
            f"设置项 XUNZHANG_BACKEND 的值是 {name!r}，但应为 {choices} 之一：请改正或删去。",
        )
    return name


def usual_backend(own: str) -> str:
    """What computes a model where nobody chose: what is best for it on a CPU, or torch where that can use a GPU.

    Args:
        own: What is best for it on a CPU.
    """
    return BACKENDS[0] if _NVIDIA.exists() and "+cpu" not in version("torch") else own  # without importing it


def by_graph(
    name: str, kind: str, folder: Path, load: Callable[[str | None], Any], dimension: int | None = None
) -> Any:
    """A model whose network is a graph; by torch, and told so in the log, where it cannot be.

    The graph is made where there is none yet; where the folder cannot be written, each time.

    Args:
        name: Of the model.
        kind: ``onnx`` or ``int8``.
        folder: Where the graph is kept, see :func:`place_of`.
        load: Loads the model by torch, on that device or on the best there is; can be pickled.
        dimension: How many numbers of a vector are used, ``None`` for all.
    """
    try:
        model, reason = _graph_of(name, kind, folder, load, dimension)
    except Exception as error:  # no memory or no room is left, or a part of the library is missing
        model, reason = None, str(error).strip().partition("\n")[0] or type(error).__name__
    if model is None:
        LOG.warning("%s is computed by torch, not by ONNX Runtime: %s", name, reason)
        return load(None)
    return model


def _graph_of(
    name: str, kind: str, folder: Path, load: Callable[[str | None], Any], dimension: int | None
) -> tuple[Any, str]:
    """The model, or why it is none."""
    from index.onnx_model import opened  # noqa: PLC0415 - takes seconds

    with ExitStack() as places:
        if not (folder / PROOF).is_file() and folder.parent.is_dir():
            with suppress(OSError):  # a directory that is only read
                places.enter_context(FileLock(folder.parent / _LOCK, timeout=_PATIENCE))  # somebody may be making it
        proof = read_object(folder / PROOF)
        if "nearness" in proof:
            try:
                return opened(folder, dimension), ""
            except Exception as error:
                LOG.warning("The graph in %s is of no use here and is made anew: %s", folder, error)
                proof = {}
        if "unfit" in proof:
            return None, f"{proof['unfit']}; to try again remove {folder}"
        try:
            place = places.enter_context(workplace(folder.parent, _MAKING))
        except OSError:
            place = Path(places.enter_context(tempfile.TemporaryDirectory()))
        tell_step(
            f"Turning the model {name} into a graph for ONNX Runtime ({kind}), once; up to a minute, for large models "
            "several.",
            f"正在把模型 {name} 转换为 ONNX Runtime 的计算图（{kind}），只需一次；不超过一分钟，大模型要几分钟。",
        )
        made = place.absolute() / "made"
        proof = make(load, kind, made, dimension)
        if "failed" in proof:
            return None, str(proof["failed"])
        folder = _keep(made, folder)
        if "unfit" in proof:
            return None, f"{proof['unfit']}; to try again remove {folder}"
        LOG.info("%s is computed by ONNX Runtime (%s), nearness to torch %s", name, kind, proof["nearness"])
        return opened(folder, dimension), ""


def place_of(data: Path, role: str, kind: str, key: str) -> Path:
    """Where a graph is kept.

    Args:
        data: The data directory.
        role: ``EMBEDDER`` or ``RERANKER``.
        key: Names the files of the model.
    """
    return data / f"onnx-{role}-{kind}-{key}"


def computed_by(data: Path, role: str, kind: str, key: str) -> tuple[str, str]:
    """What computes a model, as far as it was tried, in English and in Chinese."""
    proof = read_object(place_of(data, role, kind, key) / PROOF)
    if kind == BACKENDS[0]:
        return kind, kind
    if "unfit" in proof:
        return f"torch, for {kind}: {proof['unfit']}", f"torch；{kind} 不可用：{proof['unfit']}"
    if "nearness" in proof:
        return f"{kind}, nearness to torch {proof['nearness']}", f"{kind}，与 torch 的接近程度 {proof['nearness']}"
    return f"{kind}, once the model is loaded", f"{kind}，加载模型时转换"


def make(load: Callable[[str | None], Any], kind: str, folder: Path, dimension: int | None) -> dict[str, Any]:
    """Have a graph made in a folder that is not there yet.

    Returns:
        ``nearness``, how near it comes to torch; or ``unfit``, why there can be none; or ``failed``, why there is none.
    """
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _COMMAND],
            bufsize=0,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        return {"failed": f"no process can be started to make its graph, {error.strerror or error}"}
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            with suppress(BrokenPipeError):  # it ended at once, and says why
                process.stdin.write(pickle.dumps((load, kind, folder, dimension)))
            said = process.stderr.read().decode(errors="replace").strip()  # who works there ends when the pipe does
        except BaseException:
            process.kill()
            raise
    proof = read_object(folder / PROOF) if process.returncode == 0 else {}
    ended = f"the process that makes its graph ended with {process.returncode}"
    why = said.rpartition("\n")[2][:200] if process.returncode > 0 else ""  # whoever was killed says nothing of it
    return proof or {"failed": why or ended}


def drop_graphs(data: Path, role: str, key: str) -> None:
    """Remove the graphs of all models of a role but one."""
    for folder in data.glob(f"onnx-{role}-*"):
        if not folder.name.endswith(f"-{key}"):
            shutil.rmtree(folder, ignore_errors=True)


def _keep(made: Path, folder: Path) -> Path:
    """Move what was made to where it is looked for; says where it is, since somebody else may be faster."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        return made.rename(folder)
    except OSError:
        return made
