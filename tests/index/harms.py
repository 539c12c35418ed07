"""Harm done to the published files of an archive, each kind by a name."""

from __future__ import annotations

import shutil
from pathlib import Path


def harm(generations: Path, how: str) -> None:
    """Do something to the published files, as a person or a failing disk would."""
    (folder,) = (path for path in generations.iterdir() if path.is_dir())
    faiss = folder / "base" / "index.faiss"
    if how == "words deleted":
        shutil.rmtree(folder / "words")
    elif how == "vectors exchanged":
        faiss.unlink()
        faiss.write_bytes(b"no index at all")
    elif how == "vectors overwritten in place":
        with faiss.open("r+b") as file:
            file.seek(200)
            file.write(bytes(range(256)) * ((faiss.stat().st_size - 200) // 256))
    elif how == "passage numbers overwritten in place":
        with (folder / "numbers.npy").open("r+b") as file:
            file.seek(-8, 2)
            file.write(b"harmed!!")
    elif how in ("ends.npy overwritten in place", "beyond.npy overwritten in place"):
        columns = folder / "base" / how.split(maxsplit=1)[0]
        rest = columns.stat().st_size - 128  # after NumPy's head
        with columns.open("r+b") as file:
            file.seek(128)
            file.write((b"harmed!!" * rest)[:rest])
    elif how == "manifest deleted":
        (folder / "manifest.json").unlink()
    elif how == "CURRENT emptied":
        (generations / "CURRENT").unlink()
        (generations / "CURRENT").write_bytes(b"")
    else:
        shutil.rmtree(generations)


HARMS = ("words deleted", "vectors exchanged", "manifest deleted", "CURRENT emptied", "everything deleted")
IN_PLACE = (
    "vectors overwritten in place",
    "passage numbers overwritten in place",
    "ends.npy overwritten in place",
    "beyond.npy overwritten in place",
)
