"""What the commands share: settings, language, progress bars and how errors reach a user.

Imports nothing heavy, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.document import Status
    from index.ingest import Unreadable
    from index.telling import Progress

ROOT = Path(__file__).resolve().parent.parent
# Settings no command has an option for: what they may be, as an expression and in both languages.
_SETTINGS = {
    "XUNZHANG_LANG": (r"(zh|en)([_.@-].*)?", "zh or en", " zh 或 en"),
    "XUNZHANG_DIMENSION": (r"0*[1-9][0-9]{0,4}", "a whole number from 1 to 99999", " 1 到 99999 之间的整数"),
    "XUNZHANG_REMOTE_CODE": (r"[01]", "1 or 0", " 1 或 0"),
}
SHOWN = 20  # skipped files and notes named in a summary


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """An argument parser with the settings every command has."""
    made = argparse.ArgumentParser(prog=f"python -m scripts.{command}", description=description)
    made.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("XUNZHANG_DATA") or ROOT / "data"),
        metavar="DIR",
        help="data directory (default: XUNZHANG_DATA, or data/ in the project)",
    )
    add_engine(made)
    made.add_argument("--lang", choices=("zh", "en"), default=language(), help="language of messages")
    return made


def add_engine(made: argparse.ArgumentParser) -> None:
    """Add the choice of what keeps the archive."""
    made.add_argument(
        "--engine",
        default=os.environ.get("XUNZHANG_ENGINE") or "local",
        metavar="E",
        help="local, milvus:http://HOST:19530 or milvus:/PATH/FILE.db (default: XUNZHANG_ENGINE, or local)",
    )


def add_model(made: argparse.ArgumentParser) -> None:
    """Add the choice of an embedding model."""
    made.add_argument(
        "--model",
        default=os.environ.get("XUNZHANG_MODEL") or None,
        help="embedding model: a name from the table in README.md, or a folder (default: XUNZHANG_MODEL, or "
        "the one the index was made with, or compact)",
    )


def add_reranker(made: argparse.ArgumentParser) -> None:
    """Add the choice of a reranker."""
    made.add_argument(
        "--reranker",
        metavar="R",
        help="reranker: a name from the table in README.md, or a folder; '' for none (default: XUNZHANG_RERANKER)",
    )


def language() -> str:
    """``zh`` where the environment asks for Chinese, else ``en``."""
    for name in ("XUNZHANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def check_settings(environ: Mapping[str, str]) -> None:
    """Refuse what nobody would miss otherwise until it is needed, such as the dimension of a model yet to be chosen.

    Raises:
        SettingError: A setting is none of what it may be.
    """
    from index.errors import SettingError

    for variable, (form, english, chinese) in _SETTINGS.items():
        text = environ.get(variable, "").strip()
        if text and not re.fullmatch(form, text, re.IGNORECASE):
            raise SettingError(
                f"The setting {variable} is {text!r}, but it must be {english}.",
                f"设置项 {variable} 的值是 {text!r}，但应为{chinese}。",
            )


def run(main: Callable[[argparse.Namespace], int], made: argparse.ArgumentParser) -> None:
    """Parse, run and exit: errors of the library become one sentence on stderr and their exit code."""
    arguments = made.parse_args()
    from index.errors import XunzhangError

    print_steps(arguments.lang)
    try:
        check_settings(os.environ)
        code = main(arguments)
    except XunzhangError as error:
        print(error.sentence(arguments.lang), file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("已中断。" if arguments.lang == "zh" else "Interrupted.", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def print_steps(lang: str) -> None:
    """Print on stderr what the library says of things that take long before anything can be seen of them."""
    from index.telling import STEPS

    class Sentences(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from tqdm import tqdm

            said = getattr(record, "chinese", "") if lang == "zh" else ""
            tqdm.write(said or record.getMessage(), file=sys.stderr)  # beside a bar that is being drawn

    STEPS.handlers = [Sentences()]
    STEPS.setLevel(logging.INFO)


def options_of(status: Status, *, data: str = "--data") -> str:
    """What a command needs to find the archive again; ``data`` is its option for the data directory."""
    return f"{data} {status.data}" + ("" if status.engine == "local" else f" --engine {status.engine}")


def print_skipped(skipped: Sequence[Unreadable], lang: str) -> None:
    """Name the first ``SHOWN`` things that were passed over on stderr, with their reasons, and count the others."""
    for unreadable in skipped[:SHOWN]:
        print(("跳过：" if lang == "zh" else "Skipped: ") + unreadable.reason.sentence(lang), file=sys.stderr)
    if len(skipped) > SHOWN:
        more = len(skipped) - SHOWN
        print(f"……另有 {more} 项。" if lang == "zh" else f"... and {more} more.", file=sys.stderr)


class Bars:
    """Progress bars on stderr, one for each stage; shown only for work that lasts over a second."""

    NAMES = {  # noqa: RUF012 - a constant
        "zh": {
            "read": "读取文档",
            "encode": "计算向量",
            "publish": "写入索引",
            "copy": "复制数据",
            "move": "搬移档案",
            "pack": "写入备份",
            "unpack": "读取备份",
        },
        "en": {
            "read": "Reading documents",
            "encode": "Embedding passages",
            "publish": "Writing indexes",
            "copy": "Copying the database",
            "move": "Moving the archive",
            "pack": "Writing the backup",
            "unpack": "Reading the backup",
        },
    }

    def __init__(self, lang: str) -> None:
        self._names = self.NAMES[lang]
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self.tell

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def tell(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` (0: unknown) is done in a stage."""
        from tqdm import tqdm

        if stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._stage = stage
            self._bar = tqdm(desc=self._names[stage], total=total or None, unit="", delay=1.0, leave=True)
        self._bar.update(done - self._bar.n)
