"""Bringing an embedding model into memory, from a folder, the local cache of the hub, or the hub itself.

A model that was downloaded once is never asked for on the network again, so an archive keeps the very commit it was
made with. One that was not is asked for once, within a bounded time, before anything heavy is imported: the hub's
own library would otherwise try and print for a minute.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from index.errors import ModelError

_PATIENCE = 5.0  # seconds the hub has to answer that it knows the model


def wanted_revision(pinned: str | None) -> str | None:
    """The commit to load: ``XUNZHANG_REVISION``, or the one pinned in the table, or ``None`` for the newest."""
    return os.environ.get("XUNZHANG_REVISION") or pinned


def cached_commit(location: str, revision: str | None) -> str | None:
    """The commit of a hub model that lies in the local cache; ``None`` for folders and for what is not there."""
    if Path(location).is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - not needed for folders

    for name in ("modules.json", "config.json"):
        found = try_to_load_from_cache(location, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent.name
    return None


def load(name: str, location: str, revision: str | None, *, device: str | None, remote_code: bool) -> Any:
    """A ``SentenceTransformer`` in single precision.

    Half precision is what some checkpoints hold, and on a CPU it is a hundred times slower.

    Args:
        name: As the user chose it, for messages.
        location: A folder, or an id on the hub.
        revision: The commit on the hub.
        device: ``None`` takes a GPU where there is one.

    Raises:
        ModelError: It is neither here nor to be had within seconds, or its files are damaged.
    """
    try:
        if Path(location).is_dir():
            return _opened(location, None, device, remote_code, local=True)
        if cached_commit(location, revision):
            try:
                return _opened(location, revision, device, remote_code, local=True)
            except OSError:  # a download was interrupted
                pass
        _ask_hub(location, revision)
        return _opened(location, revision, device, remote_code, local=False)
    except Exception as error:  # damaged files make transformers and safetensors raise anything
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The model {name} cannot be loaded: {reason}. Check the name and the network, set HF_ENDPOINT "
            "to a mirror, or download it elsewhere and give its folder as --model.",
            f"无法加载模型 {name}：{reason}。请检查名称和网络，或用 HF_ENDPOINT 指定镜像，"
            "或在别处下载后用 --model 指定其文件夹。",
        ) from error


def _ask_hub(location: str, revision: str | None) -> None:
    """Ask the hub once whether it has the model. ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE`` are its library's own."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - not needed for folders

    HfApi().model_info(location, revision=revision, timeout=_PATIENCE)


def _opened(location: str, revision: str | None, device: str | None, remote_code: bool, *, local: bool) -> Any:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

    single = not (Path(location) / "model.safetensors").is_file()  # a static table has no such argument
    return SentenceTransformer(
        location,
        device=device,
        revision=revision,
        trust_remote_code=remote_code,
        local_files_only=local,
        model_kwargs={"dtype": "float32"} if single else None,
    )
