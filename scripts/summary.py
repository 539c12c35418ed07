"""What a run over files is told as: a table of the files it changed, reasons, totals, and a report in JSON lines."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from scripts.common import SHOWN, options_of, print_skipped

if TYPE_CHECKING:
    from index.document import Status
    from index.outcomes import FileOutcome, Outcome, Summary

ACTIONS = {
    "zh": {"added": "新增", "replaced": "更新", "removed": "删除"},
    "en": {"added": "added", "replaced": "replaced", "removed": "removed"},
}


class Report:
    """Follows a run file by file: remembers the first changed ones, and writes a line for each into a file.

    Args:
        path: Where the lines go, ``None`` for nowhere.
        lang: Language of reasons.

    Raises:
        SettingError: On entering, if the file cannot be written.
    """

    def __init__(self, path: Path | None, lang: str) -> None:
        self._path = path
        self._lang = lang
        self._open = ExitStack()
        self._file: Any = None
        self._first: list[FileOutcome] = []
        self._changed = 0

    def __enter__(self) -> Self:
        from index.errors import SettingError
        from index.outcomes import ByFile

        if self._path is not None:
            try:
                self._file = self._open.enter_context(self._path.expanduser().open("w", encoding="utf-8", buffering=1))
            except OSError as error:
                why = error.strerror or str(error)
                raise SettingError(
                    f"The report {self._path} cannot be written: {why}; choose another --report.",
                    f"无法写入报告 {self._path}：{why}；请用 --report 另选文件。",
                ) from error
        self._by_file = ByFile(self._tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._by_file.close()
        self._open.close()

    def take(self, outcome: Outcome) -> None:
        """What became of the next document or file."""
        self._by_file.take(outcome)

    def print_table(self) -> None:
        """The files that changed since the last table, up to ``SHOWN`` of them, and how many more there are."""
        self._by_file.close()
        names = ACTIONS[self._lang]
        for outcome in self._first:
            counts = sum(outcome.counts.values())
            documents = f"（{counts} 篇）" if self._lang == "zh" else f"  ({counts} documents)"
            print(f"{names[outcome.action]:<8}  {outcome.file}{documents if counts > 1 else ''}")
        if more := self._changed - len(self._first):
            hint = "" if self._path else ("，--report 可列出全部" if self._lang == "zh" else "; --report lists all")
            print(f"……另有 {more} 个文件{hint}。" if self._lang == "zh" else f"... and {more} more files{hint}.")
        self._first.clear()
        self._changed = 0

    def _tell(self, outcome: FileOutcome) -> None:
        if outcome.action in ACTIONS["en"]:
            self._changed += 1
            if len(self._first) < SHOWN:
                self._first.append(outcome)
        if self._file is not None:
            self._file.write(json.dumps(self._line(outcome), ensure_ascii=False) + "\n")

    def _line(self, outcome: FileOutcome) -> dict[str, Any]:
        return {
            "file": outcome.file.encode("utf-8", "replace").decode(),  # a name may be no UTF-8
            "outcome": outcome.action,
            "documents": {name: outcome.counts.get(name, 0) for name in ("added", "replaced", "unchanged", "removed")},
            "skipped": [
                {"name": one.name.encode("utf-8", "replace").decode(), "reason": one.reason.sentence(self._lang)}
                for one in outcome.skipped
                if one.reason is not None
            ],
            "notes": [note.sentence(self._lang) for note in outcome.notes],
        }


def print_totals(summary: Summary, status: Status, lang: str) -> None:
    """What was passed over and noticed on stderr, and the counts of the run and of the index."""
    zh = lang == "zh"
    print_skipped(summary.skipped, lang)
    for note in summary.notes[:SHOWN]:
        print(("注意：" if zh else "Note: ") + note.sentence(lang), file=sys.stderr)
    if len(summary.notes) > SHOWN:
        more = len(summary.notes) - SHOWN
        print(f"……另有 {more} 条。" if zh else f"... and {more} more notes.", file=sys.stderr)
    counts = (summary.added, summary.replaced, summary.unchanged, summary.removed, len(summary.skipped))
    if zh:
        print("新增 {} 篇，更新 {} 篇，未变 {} 篇，删除 {} 篇，跳过 {} 项；".format(*counts), end="")
        print(f"新段落 {summary.passages} 个，计算向量 {summary.encoded} 个，用时 {summary.seconds:.1f} 秒。")
        print(f"索引共有 {status.documents} 篇文档、{status.passages} 个段落，位于 {status.data}。")
    else:
        print("Added {}, replaced {}, unchanged {}, removed {}, skipped {}; ".format(*counts), end="")
        print(f"{summary.passages} new passages, {summary.encoded} embedded, in {summary.seconds:.1f} s.")
        print(f"The index in {status.data} has {status.documents} documents, {status.passages} passages.")


def by_words_only(status: Status, lang: str) -> str:
    """That passages wait for their vectors, and what to do."""
    command = f"python -m scripts.manage encode {options_of(status)}"
    if lang == "zh":
        return f"{status.pending} 个段落还没有向量，目前只按字词查找；模型可用后请运行：{command}"
    return (
        f"{status.pending} passages have no vectors and are found by words only; "
        f"once the model can be had run: {command}"
    )
