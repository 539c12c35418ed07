"""``build_index``: its table of the files that changed, and ``--report``, a line for each file."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

TEXT = "第{}条渔船今天回港，船工上岸。\n"


def lines(report: Path) -> dict[str, dict]:
    """The report by the files' names."""
    found = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    return {Path(line["file"]).name: line for line in found}


def test_every_file_has_its_line(command, tmp_path: Path) -> None:
    papers, data, report = tmp_path / "papers", tmp_path / "data", tmp_path / "report.jsonl"
    papers.mkdir()
    for name in "abc":
        (papers / f"{name}.txt").write_text(TEXT.format(name), encoding="utf-8")
    with ZipFile(papers / "old.zip", "w") as packed:
        packed.writestr("one.txt", TEXT.format("one"))
        packed.writestr("two.rtf", "{\\rtf1 x}")
    built = command("build_index", papers, "--data", data, "--report", report)
    assert built.returncode == 3, built.stderr
    assert built.stdout.count("\nadded") + built.stdout.startswith("added") == 4
    first = lines(report)
    assert {name: line["outcome"] for name, line in first.items()} == dict.fromkeys(
        ["a.txt", "b.txt", "c.txt", "old.zip"], "added"
    )
    (skipped,) = first["old.zip"]["skipped"]
    assert skipped["name"].endswith("old.zip/two.rtf")
    assert "is an RTF document" in skipped["reason"]
    assert first["old.zip"]["documents"]["added"] == 1

    (papers / "b.txt").write_text(TEXT.format("another"), encoding="utf-8")
    (papers / "c.txt").unlink()
    with ZipFile(papers / "old.zip", "w") as packed:
        packed.writestr("three.txt", TEXT.format("three"))
    built = command("build_index", papers, "--data", data, "--prune", "--report", report, "--lang", "zh")
    assert built.returncode == 0, built.stderr
    second = lines(report)
    assert {name: line["outcome"] for name, line in second.items()} == {
        "a.txt": "unchanged",
        "b.txt": "replaced",
        "old.zip": "replaced",  # a member came, another went
        "c.txt": "removed",
    }
    assert f"更新        {papers / 'b.txt'}\n" in built.stdout
    assert f"删除        {papers / 'c.txt'}\n" in built.stdout
    assert "a.txt" not in built.stdout


def test_records_are_told_of_by_their_file(command, tmp_path: Path) -> None:
    file, report = tmp_path / "news.jsonl", tmp_path / "report.jsonl"
    records = [{"id": f"n{number}", "text": TEXT.format(number)} for number in range(600)]
    file.write_text("\n".join(json.dumps(record) for record in [*records, {"id": "n600"}]), encoding="utf-8")
    built = command("build_index", file, "--data", tmp_path / "data", "--report", report)
    (line,) = lines(report).values()
    assert line["documents"] == {"added": 600, "replaced": 0, "unchanged": 0, "removed": 0}
    assert [skipped["name"] for skipped in line["skipped"]] == [f"{file}:601"]
    assert built.stdout.startswith(f"added     {file}  (600 documents)\n")


def test_of_many_files_the_first_are_named(command, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(23):
        (papers / f"{number}.txt").write_text(TEXT.format(number), encoding="utf-8")
    built = command("build_index", papers, "--data", tmp_path / "data")
    assert built.stdout.count(".txt\n") == 20
    assert "... and 3 more files; --report lists all." in built.stdout


def test_a_report_that_cannot_be_written_is_told_before_anything_is_done(command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT.format(1), encoding="utf-8")
    built = command("build_index", tmp_path / "a.txt", "--data", tmp_path / "data", "--report", tmp_path / "no" / "r")
    assert built.returncode == 2
    assert built.stderr == (
        f"The report {tmp_path}/no/r cannot be written: No such file or directory; choose another --report.\n"
    )
    assert not (tmp_path / "data").exists()
