"""Bringing a model into memory, from a folder, the local cache of the hub, or the hub itself.

A model that was downloaded once is never asked for on the network again, so an archive keeps the very commit it was
made with. One that was not is asked for once, within a bounded time, before anything heavy is imported: the hub's
own library would otherwise try and print for a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from index.errors import ModelError

_PROBE = 1 << 20  # bytes read from each end of a weight file for its fingerprint
_PATIENCE = 5.0  # seconds the hub has to answer that it knows the model


def cached_commit(location: str, revision: str | None) -> str | None:
    """The commit of a hub model that lies in the local cache; ``None`` for folders and for what is not there."""
    if Path(location).is_absolute() or Path(location).is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - not needed for folders

    for name in ("modules.json", "config.json"):
        found = try_to_load_from_cache(location, name, revision=revision)
        if isinstance(found, str):
            return Path(found).parent.name
    return None


def fingerprint(location: str, revision: str | None, parts: Sequence[str] = (), *, packed: str = "") -> str:
    """Names the files of a model, and what else is said in ``parts``; of a hub model, its commit.

    Args:
        packed: Names the files of a model that comes as a package, which need not be there yet.
    """
    digest, parts = blake2b(digest_size=12), list(parts)
    folder = Path(location)
    if packed:
        parts.append(packed)
    elif folder.is_dir():
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".json", ".safetensors", ".bin", ".model"} and file.is_file():
                parts.append(f"{file.relative_to(folder)} {file.stat().st_size}")
                with file.open("rb") as stream:
                    digest.update(stream.read(_PROBE))
                    stream.seek(max(0, file.stat().st_size - _PROBE))
                    digest.update(stream.read(_PROBE))
    else:
        parts += [location, str(cached_commit(location, revision) or revision)]
    digest.update("\n".join(parts).encode())
    return digest.hexdigest()


def load(
    name: str,
    location: str,
    revision: str | None,
    opened: Callable[[str, str | None, bool], Any],
    *,
    option: str = "--model",
) -> Any:
    """What ``opened`` makes of a folder, a hub model in the local cache, or one on the hub.

    Args:
        name: As the user chose it, for messages.
        location: A folder, or an id on the hub.
        revision: The commit on the hub.
        opened: Called with the location, the commit and whether only local files may be used.
        option: By which option a folder is chosen, for messages.

    Raises:
        ModelError: It is neither here nor to be had within seconds, or its files are damaged.
    """
    try:
        if Path(location).is_dir():
            return opened(location, None, True)
        if Path(location).is_absolute():
            raise FileNotFoundError(f"the folder {location} is gone")
        if cached_commit(location, revision):
            try:
                return opened(location, revision, True)
            except OSError:  # a download was interrupted
                pass
        _ask_hub(location, revision)
        return opened(location, revision, False)
    except Exception as error:  # damaged files make transformers and safetensors raise anything
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The model {name} cannot be loaded: {reason}. Check the name and the network, set HF_ENDPOINT "
            f"to a mirror, or download it elsewhere and give its folder as {option}.",
            f"无法加载模型 {name}：{reason}。请检查名称和网络，或用 HF_ENDPOINT 指定镜像，"
            f"或在别处下载后用 {option} 指定其文件夹。",
        ) from error


def quietly() -> None:
    """Keep transformers from drawing a bar for the reading of weights; downloads still show theirs."""
    from transformers.utils import logging  # noqa: PLC0415 - takes seconds

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _ask_hub(location: str, revision: str | None) -> None:
    """Ask the hub once whether it has the model. ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE`` are its library's own."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - not needed for folders

    HfApi().model_info(location, revision=revision, timeout=_PATIENCE)
