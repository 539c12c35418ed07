"""What is given to run the service with says what the code does: names, commands, metrics, and no root."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.corpus import Corpus
from scripts import manage, server
from scripts.benchmarking.server import serving
from service.app import create_app
from service.settings import VARIABLES, Settings
from tests.conftest import Run

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "scripts" / "deploy"
OTHER_SETTINGS = {"XUNZHANG_DATA", "XUNZHANG_MODELS"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def environment() -> dict[str, str]:
    return dict(word.split("=", 1) for line in of("ENV") for word in shlex.split(line))


# The Dockerfile


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    known = {"FROM", "ENV", "WORKDIR", "COPY", "ARG", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"}
    assert {name for name, _ in instructions()} == known | {"HEALTHCHECK", "ENTRYPOINT"}
    (base,) = of("FROM")
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)
    (user,) = of("USER")
    assert user == "10001:10001"
    order = [name for name, _ in instructions()]
    assert order.index("USER") > max(place for place, name in enumerate(order) if name == "RUN")


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    if not (linter := Path(sys.executable).with_name("hadolint")).exists():
        pytest.skip("hadolint is not installed here: it comes with requirements-dev.txt")
    said = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_what_is_copied_is_there_and_is_all_that_the_service_needs(tmp_path: Path) -> None:
    """The steps of the Dockerfile, but for installing, in a folder of their own: the server must start from that."""
    app = tmp_path / "app"
    app.mkdir()
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in of("COPY"):
        *sources, target = shlex.split(line)
        assert set(sources) <= allowed
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, app / target)
    for command in of("RUN"):
        if command.startswith("python -m compileall"):
            subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=app, check=True, capture_output=True)
    (entry,) = of("ENTRYPOINT")
    words = [sys.executable, *json.loads(entry)[1:], "--help"]
    inside = {**environment(), "PYTHONPATH": str(app), "PATH": "/usr/bin:/bin", "XUNZHANG_DATA": str(tmp_path / "data")}
    shown = subprocess.run(words, cwd=tmp_path, env=inside, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    # On an address for everybody it does not start without a key, and says how to make one.
    inside |= {"XUNZHANG_PORT": "0"}
    refused = subprocess.run(words[:-1], cwd=tmp_path, env=inside, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "keys --data" in refused.stderr


def test_the_health_check_tells_a_ready_server_from_none(sample_copy: Path) -> None:
    (line,) = of("HEALTHCHECK")
    words = [sys.executable, *json.loads(line[line.index("[") :])[1:]]
    with serving(sample_copy) as running:
        port = running.address.rpartition(":")[2]
        asked = {"PYTHONPATH": str(ROOT), "XUNZHANG_HOST": "0.0.0.0", "XUNZHANG_PORT": port}
        assert subprocess.run(words, cwd="/", env=asked, capture_output=True, check=False).returncode == 0
    gone = subprocess.run(words, cwd="/", env=asked, capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert "no answer" in gone.stderr


@pytest.mark.parametrize(("lang", "says"), [("en", "must be a whole number"), ("zh", "应当是整数")])
def test_the_health_check_says_what_is_wrong_with_its_settings(command: Run, lang: str, says: str) -> None:
    said = command("healthy", XUNZHANG_PORT="abc", XUNZHANG_LANG=lang)
    assert (said.returncode, said.stdout) == (1, "")
    (line,) = said.stderr.splitlines()
    assert "XUNZHANG_PORT" in line
    assert says in line
    for host, port in (("no such host", "8000"), ("a" * 70, "8000"), ("127.0.0.1", "70000")):
        said = command("healthy", XUNZHANG_HOST=host, XUNZHANG_PORT=port)
        assert (said.returncode, len(said.stderr.splitlines())) == (1, 1), said.stderr


def test_every_setting_named_for_deployment_exists() -> None:
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *DEPLOY.iterdir()]
    named = {name for file in files for name in re.findall(r"XUNZHANG_[A-Z_]+", file.read_text())}
    assert named <= set(VARIABLES) | OTHER_SETTINGS
    Settings.from_environment({name: value for name, value in environment().items() if name in VARIABLES})


def test_the_composed_service_may_write_nothing_but_its_data() -> None:
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert [volume for volume in service["volumes"] if not volume.endswith(":ro")] == ["data:/data"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])  # a proxy opens it to the world


def test_commands_in_comments_are_ones_that_are_taken() -> None:
    text = (ROOT / "compose.yaml").read_text()
    (made,) = re.findall(r"-m scripts\.manage (.*)", text)
    assert manage.arguments().parse_args(made.split()).scope == "admin"


# systemd


def unit(name: str) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string((DEPLOY / name).read_text())
    return read


@pytest.mark.parametrize("name", ["xunzhang.service", "xunzhang-backup.service"])
def test_a_unit_starts_what_there_is_without_rights(name: str) -> None:
    service = unit(name)["Service"]
    assert service["User"] == "xunzhang"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    words = service["ExecStart"].split()
    assert words[:3] == ["/opt/xunzhang/.venv/bin/python", "-P", "-m"]
    made = {"scripts.server": server, "scripts.manage": manage}[words[3]].arguments()
    made.parse_args(words[4:])


def test_the_first_night_makes_the_folder_of_backups_and_the_second_adds_to_it(
    sample_copy: Path, tmp_path: Path
) -> None:
    """The unit's commands, one after the other, with places and a user that are here."""
    service, folder = unit("xunzhang-backup.service")["Service"], "/var/backups/xunzhang"
    before, root = service["ExecStartPre"], tmp_path / "backups"
    assert before.startswith("+")  # with all rights, as the user may make nothing in /var/backups
    written = service["ReadWritePaths"].split()
    assert f"-{folder}" in written  # or systemd would refuse to start what makes it
    assert all(path == "/var/lib/xunzhang" or path.startswith("-") for path in written)

    def here(line: str) -> list[str]:
        words = [word.replace(folder, str(root)) for word in shlex.split(line.removeprefix("+"))]
        owners = {"-o": str(os.getuid()), "-g": str(os.getgid())}
        words = [owners.get(option, word) for option, word in zip(["", *words], words, strict=False)]
        return [sys.executable if word == "/opt/xunzhang/.venv/bin/python" else word for word in words]

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XUNZHANG_DATA": str(sample_copy)}
    for night in (1, 2):
        for name in ("ExecStartPre", "ExecStart", "ExecStartPost"):
            ran = subprocess.run(here(service[name]), cwd=tmp_path, env=environment, capture_output=True, check=False)
            assert ran.returncode == 0, ran.stderr
        made = list(root.glob("xunzhang-*.tar"))
        assert len(made) == night
        made[0].rename(root / f"xunzhang-night-{night}.tar")  # they are named by the second
    assert root.stat().st_mode & 0o777 == 0o700


# Prometheus


def test_alerts_ask_for_metrics_that_there_are(sample: Corpus) -> None:
    told = create_app(sample, settings=Settings()).test_client().get("/metrics").text
    there = set(re.findall(r"^# TYPE (\w+)", told, re.M)) | set(re.findall(r"^(\w+)[{ ]", told, re.M))
    rules: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    text = (ROOT / "service" / "OPERATIONS.md").read_text()
    for rule in rules:
        asked = set(re.findall(r"\b(?:xunzhang|process)_\w+", rule["expr"]))
        assert {name.removesuffix("_bucket") for name in asked} <= there, rule["alert"]
        assert f"`{rule['alert']}`" in text  # what it means and what to do


def test_alerts_are_read_by_prometheus_own_tool() -> None:
    if (tool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed here")
    subprocess.run([tool, "check", "rules", DEPLOY / "alerts.yml"], check=True, capture_output=True)


def test_the_operations_page_names_only_commands_that_are_taken() -> None:
    text = (ROOT / "service" / "OPERATIONS.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    asked = [shlex.split(line, comments=True) for line in lines if "scripts.manage" in line]
    assert len(asked) > 4
    for words in asked:
        manage.arguments().parse_args(words[words.index("scripts.manage") + 1 :])
    for link in re.findall(r"\]\(([^):#]+)\)", text):
        assert (ROOT / "service" / link).exists(), link
