"""A tiny set of training files, written for the tests."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

WORDS = {
    "图书馆": "library", "茶叶": "tea leaves", "火车站": "railway station", "渔船": "fishing boat",
    "台风": "typhoon", "学校": "school", "医院": "hospital", "果园": "orchard",
}  # fmt: skip


def paragraph(word: str) -> str:
    return (
        f"镇上的{word}去年重新开放，居民都很高兴。每天早上八点，{word}前面已经排起了长队。"
        f"负责人说，{word}的经费来自县里的拨款，一共三百万元。老人回忆起从前的{word}，那时只有两间屋子。"
        f"今年冬天{word}还要扩建，工程预计明年五月完成。记者在现场看到，工人正在搬运木料和砖块。"
    )


def write_training_data(folder: Path) -> Path:
    """Every training file, as small as it can be."""

    def write(name: str, lines: Iterator[str] | list[str]) -> None:
        with lzma.open(folder / name, "wt", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def record(**fields: object) -> str:
        return json.dumps(fields, ensure_ascii=False)

    write(
        "zh-en.tsv.xz",
        ["source\ten\tzh"] + [f"tatoeba\tThe {en} is closed today.\t{zh}今天关门。" for zh, en in WORDS.items()],
    )
    write("cmrc2018-train.jsonl.xz", (record(question=f"{zh}几点开门？", passage=paragraph(zh)) for zh in WORDS))
    write("laws-zh.jsonl.xz", (record(title=f"{zh}管理办法", paragraphs=["## 总则", paragraph(zh)]) for zh in WORDS))
    write(
        "prose-zh.jsonl.xz", (record(title=f"我与{zh}", paragraphs=[paragraph(zh)[:60], paragraph(zh)]) for zh in WORDS)
    )
    write("cedict.txt.xz", ["# CC-CEDICT"] + [f"{zh} {zh} [xx] /{en}/CL:個|个[ge4]/" for zh, en in WORDS.items()])
    write("omw-cmn.tab.xz", ["# Wordnet", "01-n\tcmn:lemma\t学校", "01-n\tcmn:lemma\t学堂", "02-n\tcmn:lemma\t医院"])
    write("word-counts.tsv.xz", [f"{zh}\t5" for zh in WORDS])
    return folder
