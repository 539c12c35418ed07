"""Installations that end badly: they are explained, tried again, and cost nobody what worked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.stub_machine import UNREACHABLE, Machine, until


@pytest.mark.parametrize(
    ("pip_says", "english", "chinese"),
    [
        (UNREACHABLE, "PIP_INDEX_URL", "pip 连不上软件包索引"),
        ("ERROR: [Errno 28] No space left on device", "is full", "磁盘已满"),
        ("ERROR: No matching distribution found for flask==3.1.3", "no fitting release", "适合 Python"),
        ("ERROR: something new under the sun", "for the reason shown above", "原因见上"),
    ],
)
def test_a_failing_pip_is_shown_and_explained_and_tried_again(
    machine: Machine, pip_says: str, english: str, chinese: str
) -> None:
    answer = machine.run("serve", PIP_SAYS=pip_says)
    assert answer.returncode == 2
    said, empty, in_english, in_chinese = answer.stderr.splitlines()[-4:]
    assert pip_says in said
    assert empty == ""
    assert english in in_english
    assert chinese in in_chinese
    assert machine.calls("run") == []
    assert not (machine.root / ".venv/.installed-serve").exists()

    assert machine.run("serve").returncode == 0
    assert len(machine.calls("pip")) == 2


def test_an_unreachable_index_costs_nobody_the_venv_that_worked(machine: Machine) -> None:
    machine.run("serve")
    machine.run("test", PIP_SAYS=UNREACHABLE)
    assert machine.run("serve").returncode == 0
    assert len(machine.calls("make venv")) == 1
    assert len(machine.calls("pip")) == 2


def test_an_installation_that_was_killed_starts_over(machine: Machine, tmp_path: Path) -> None:
    killed = machine.start("serve", tmp_path / "killed", PIP_WAITS_FOR=str(tmp_path / "never"))
    until("pip", machine.calls_file)
    machine.kill(killed)
    assert machine.run("serve").returncode == 0
    assert [call.split()[0] for call in machine.calls()] == ["make", "pip", "make", "pip", "run"]


def test_two_at_once_install_once_and_the_second_says_that_it_waits(machine: Machine, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = machine.start("serve", tmp_path / "first", PIP_WAITS_FOR=str(go))
    until("pip", machine.calls_file)
    second = machine.start("serve", tmp_path / "second", PIP_WAITS_FOR=str(go))
    until("Waiting for another installation", tmp_path / "second")
    go.touch()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(machine.calls("pip")) == 1
    assert len(machine.calls("run")) == 2


def test_a_waiting_one_takes_over_when_the_first_is_killed(machine: Machine, tmp_path: Path) -> None:
    first = machine.start("serve", tmp_path / "first", PIP_WAITS_FOR=str(tmp_path / "never"))
    until("pip", machine.calls_file)
    second = machine.start("serve", tmp_path / "second")
    until("Waiting for another installation", tmp_path / "second")
    machine.kill(first)
    assert second.wait(60) == 0
    assert [call.split()[0] for call in machine.calls()] == ["make", "pip", "make", "pip", "run"]


def test_a_venv_that_cannot_be_written(machine: Machine) -> None:
    (machine.root / ".venv").write_text("a file where the folder should be\n")
    answer = machine.run("serve")
    assert answer.returncode == 2
    assert f"{machine.root}/.venv cannot be written" in answer.stderr
    assert f"无法写入 {machine.root}/.venv" in answer.stderr
