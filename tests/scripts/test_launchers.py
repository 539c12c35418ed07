"""scripts/serve and scripts/test: the shell that makes .venv and starts Python in it.

The shell is what is tested, so Python is a stub that writes down how it was called: these tests need no network
and install nothing. The real installation is proved by whoever runs this suite through scripts/test.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.scripts.stub_machine import Machine

# A fresh machine


def test_serve_makes_venv_installs_and_starts_the_server(machine: Machine) -> None:
    answer = machine.run("serve", "my papers", "--port", "0")
    assert answer.returncode == 0, answer.stderr
    venv, pip, run = machine.calls()
    assert venv == "make venv"
    assert pip.endswith(f"-r {machine.root}/requirements.txt")
    assert run == "run -P -m scripts.server my papers --port 0"


def test_test_installs_the_test_requirements_and_starts_pytest(machine: Machine) -> None:
    answer = machine.run("test", "tests/index", "-k", "folds")
    assert answer.returncode == 0, answer.stderr
    _, pip, run = machine.calls()
    assert pip.endswith(f"-r {machine.root}/requirements-dev.txt")
    assert run == "run -m pytest tests/index -k folds"


def test_arguments_reach_python_unsplit(machine: Machine) -> None:
    machine.run("serve")
    venv_python = machine.root / ".venv/bin/python"
    venv_python.write_text(machine.stub.read_text().replace('echo "run $*"', "printf '[%s]' \"$@\""))
    machine.run("serve", "two words", "", "*")
    assert machine.calls_file.read_text().endswith("[scripts.server][two words][][*]")


def test_install_passes_on_to_a_server_that_ends_at_once(machine: Machine) -> None:
    assert machine.run("serve", "--install").returncode == 0
    assert machine.calls("run") == ["run -P -m scripts.server --install"]
    command = [sys.executable, "-m", "scripts.server", "--install", "--model", "e5-small", "--data", "/nonexistent/x"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_help_installs_nothing(machine: Machine) -> None:
    answer = machine.run("serve", "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("usage: scripts/serve [PATH ...] [--data DIR] [--host H] [--port P]")
    assert machine.calls() == []
    assert not (machine.root / ".venv").exists()


def test_help_of_an_installed_checkout_is_the_servers_own(machine: Machine) -> None:
    machine.run("serve")
    machine.run("serve", "--help")
    assert machine.calls("run")[-1] == "run -P -m scripts.server --help"


# Where it is called from


def test_a_symlink_finds_the_checkout(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "my links").mkdir()
    link = tmp_path / "my links" / "xunzhang"
    link.symlink_to(Path("..") / machine.root.name / "scripts/serve")
    answer = machine.run(link)
    assert answer.returncode == 0, answer.stderr
    assert (machine.root / ".venv/.installed-serve").exists()


def test_serve_keeps_the_callers_folder_so_that_relative_paths_hold(machine: Machine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    answer = machine.run("serve", "papers", cwd=elsewhere)
    assert f"in {elsewhere}, PYTHONPATH={machine.root}" in answer.stdout


def test_test_runs_in_the_project_root(machine: Machine, tmp_path: Path) -> None:
    assert f"in {machine.root}, PYTHONPATH=\n" in machine.run("test", cwd=tmp_path).stdout


def test_the_callers_python_path_is_not_mixed_in(machine: Machine) -> None:
    answer = machine.run("serve", PYTHONPATH="/opt/other", PYTHONHOME="/opt/other")
    assert f"PYTHONPATH={machine.root}\n" in answer.stdout


# Pythons that do not do


def test_no_python(machine: Machine) -> None:
    machine.stub.unlink()
    answer = machine.run("serve")
    assert answer.returncode == 2
    assert "found none; install it" in answer.stderr
    assert "没有找到 Python" in answer.stderr
    assert not (machine.root / ".venv").exists()


def test_a_python_too_old(machine: Machine) -> None:
    answer = machine.run("serve", STUB_VERSION="3.9.2")
    assert answer.returncode == 2
    assert "found only python3 3.9.2" in answer.stderr
    assert "只找到 python3 3.9.2" in answer.stderr
    assert not (machine.root / ".venv").exists()


def test_a_python_without_venv(machine: Machine) -> None:
    answer = machine.run("serve", STUB_LACKS_VENV="yes")
    assert answer.returncode == 2
    assert "python3-venv, or python3.12-venv" in answer.stderr
    assert "缺少 venv" in answer.stderr
    assert not (machine.root / ".venv").exists()


def test_a_python_asked_for_that_is_not_there(machine: Machine) -> None:
    answer = machine.run("serve", PYTHON="/no/such/python")
    assert answer.returncode == 2
    assert "PYTHON=/no/such/python is not a Python" in answer.stderr


def test_a_version_managers_empty_shell_is_passed_over(machine: Machine) -> None:
    shell = machine.bin / "python3.13"
    shell.write_text("#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n")
    shell.chmod(0o755)
    answer = machine.run("serve")
    assert answer.returncode == 0
    assert "Making .venv with Python 3.12.1" in answer.stderr
