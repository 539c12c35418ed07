"""``build_index --prune``: a missing disk empties no archive, and what is gone on purpose can be removed."""

from __future__ import annotations

import shutil
from pathlib import Path


def write(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(f"第{number}条渔船今天回港，船工上岸。\n", encoding="utf-8")


def test_an_emptied_folder_beside_a_full_one_is_not_pruned_unasked(command, tmp_path: Path) -> None:
    disk, papers, data = tmp_path / "disk", tmp_path / "papers", tmp_path / "data"
    write(disk, 3)
    write(papers, 1)
    assert command("build_index", disk, papers, "--data", data).returncode == 0
    shutil.rmtree(disk)
    disk.mkdir()  # a mount point without its disk
    refused = command("build_index", disk, papers, "--data", data, "--prune")
    assert refused.returncode == 3
    assert f"3 of 3 documents below {disk} would be removed, so none was" in refused.stderr
    assert "has 4 documents" in refused.stdout
    disk.rmdir()
    assert command("build_index", disk, "--data", data, "--prune").returncode == 2
    forced = command("build_index", disk, "--data", data, "--prune", "--force")
    assert forced.returncode == 0, forced.stderr
    assert "removed 3" in forced.stdout
    assert command("build_index", disk, "--data", data, "--prune", "--force").returncode == 2  # nothing was done


def test_most_of_a_large_folder_is_not_pruned_unasked(command, tmp_path: Path) -> None:
    papers, data = tmp_path / "papers", tmp_path / "data"
    write(papers, 20)
    command("build_index", papers, "--data", data)
    for number in range(11):
        (papers / f"{number}.txt").unlink()
    refused = command("build_index", papers, "--data", data, "--prune", LANG="zh_CN.UTF-8")
    assert refused.returncode == 3
    assert "20 篇文档中有 11 篇将被删除，因此没有删除" in refused.stderr
    assert "removed 11" in command("build_index", papers, "--data", data, "--prune", "--force").stdout
