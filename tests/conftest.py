"""What all tests share: an archive built from the bundled sample, one to write to, and how to run a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from index.corpus import Corpus
from index.ingest import record_source, sources_of
from index.outcomes import Summary

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "index" / "sample"

# The same examples each time, and no clock: a busy machine is no failure.
settings.register_profile(
    "xunzhang",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("xunzhang")

for variable in [name for name in os.environ if name.startswith("XUNZHANG_") and "TEST" not in name]:
    del os.environ[variable]


# Modules whose tests run over every engine: what an archive promises, it promises whoever keeps it. A test of theirs
# that looks into the files of the local engine is marked ``local``.
ON_EVERY_ENGINE = {
    f"test_{name}"
    for name in (
        "corpus", "opening", "exactness", "search", "keeping_in_step", "repeats", "suggest", "spelling", "remembered",
    )
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine_name" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_EVERY_ENGINE:
        local = metafunc.definition.get_closest_marker("local") is not None
        engines = ["local"] if local else ["local", "milvus"]
        metafunc.parametrize("engine_name", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine_name(request: pytest.FixtureRequest) -> str:
    """Which engine the archives of a test are kept by."""
    return str(getattr(request, "param", "local"))


def engine_at(name: str, data: Path) -> str:
    """What ``Corpus.open`` takes for an engine: Milvus is really started, in a file beside the data directory."""
    return f"milvus:{data.with_suffix('.db')}" if name == "milvus" else name


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, engine_name: str) -> Iterator[Corpus]:
    """The archive of the bundled sample; tests only read it."""
    data = tmp_path_factory.mktemp("sample") / "data"
    corpus = Corpus.open(data, create=True, engine=engine_at(engine_name, data))
    summary = corpus.add(sources_of([SAMPLE]))
    assert summary.added == len(list(SAMPLE.glob("*.txt"))), summary.skipped
    yield corpus
    corpus.close()


@pytest.fixture
def sample_copy(sample: Corpus, tmp_path: Path) -> Path:
    """A data directory with the sample's archive, to be damaged."""
    return Path(shutil.copytree(sample.data, tmp_path / "copy", copy_function=shutil.copy))


@pytest.fixture(scope="session")
def _written_archive(tmp_path_factory: pytest.TempPathFactory, engine_name: str) -> Iterator[Corpus]:
    data = tmp_path_factory.mktemp("written") / "data"
    corpus = Corpus.open(data, create=True, engine=engine_at(engine_name, data))
    yield corpus
    corpus.close()


@pytest.fixture
def archive(_written_archive: Corpus) -> Corpus:
    """An empty archive to write to. Making one loads the model, so the tests take turns with one."""
    listed = _written_archive.documents(limit=10_000).documents
    if listed:
        _written_archive.remove([document.id for document in listed])
    return _written_archive


Put = Callable[..., Summary]


@pytest.fixture
def put(archive: Corpus) -> Put:
    """Adds records, given as dictionaries or as ``id=text``, to ``archive``."""

    def add(*records: dict[str, Any], **texts: str) -> Summary:
        every = [*records, *({"id": id_, "text": text} for id_, text in texts.items())]
        return archive.add([record_source(record, source="test") for record in every])

    return add


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def disk_of(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system of a size such as ``6m``; the test is skipped where none can be mounted."""
    place = tmp_path / "small"

    def mount(size: str) -> Path:
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def command() -> Run:
    """Runs ``python -m scripts.NAME ARGUMENTS`` as a user would, in a process of its own."""

    def run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if key not in {"LANG", "LC_ALL", "LC_MESSAGES"}}
        return subprocess.run(
            [sys.executable, "-m", f"scripts.{name}", *map(str, arguments)],
            cwd=ROOT,
            env={**inherited, "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
