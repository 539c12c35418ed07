"""The Dockerfile carried out where there is no engine: every instruction, in a clean Debian, and the end served.

Needs root and ``XUNZHANG_TEST_ROOT``, a folder made by::

    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates bookworm FOLDER

which stands for the base image: Python of the same version, though from Debian. The service then runs there as the
Dockerfile's user, with a root that cannot be written, as compose.yaml has it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scripts.test_deploy import ROOT, environment, instructions, of

HERE = os.environ.get("XUNZHANG_TEST_ROOT", "")
pytestmark = pytest.mark.skipif(not HERE, reason="XUNZHANG_TEST_ROOT names no clean Debian")
# What Debian's Python wants beside that of the image, and where this machine's package index is.
OUTSIDE = {"PIP_BREAK_SYSTEM_PACKAGES": "1", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
OUTSIDE |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


def inside(root: Path, command: str, env: dict[str, str], *, user: str = "0:0", locked: bool = False) -> list[str]:
    """A command line that runs ``command`` in the folder as if it were a machine of its own."""
    lock = f"mount -o remount,ro,bind {root} && " if locked else ""
    words = [f"{name}={value}" for name, value in env.items()]
    script = (
        f"mount --bind {root} {root} && mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && {lock}"
        f"mount -t tmpfs -o size=512m,mode=1777 tmpfs {root}/tmp && mount --bind {root.parent}/data {root}/data && "
        f"exec env -i {shlex.join(words)} chroot --userspec={user} {root} /bin/sh -c {shlex.quote('exec ' + command)}"
    )
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """The folder after every instruction up to USER."""
    root = Path(HERE).absolute()
    (root.parent / "data").mkdir(exist_ok=True)
    (root / "data").mkdir(exist_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    if not (root / "usr/local/bin/python").exists():
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    env, folder = dict(OUTSIDE), "/"
    for name, rest in instructions():
        if name == "ENV":
            env |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif name == "WORKDIR":
            folder = rest
            (root / folder.lstrip("/")).mkdir(exist_ok=True)
        elif name == "ARG":
            env |= dict([rest.split("=", 1)])
        elif name == "COPY":
            *sources, target = shlex.split(rest)
            assert set(sources) <= allowed
            goal = root / folder.lstrip("/") / target
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.rmtree(goal, ignore_errors=True)
                    shutil.copytree(ROOT / source, goal, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, goal)
        elif name == "RUN":
            if "useradd" in rest:  # a second run of this test finds the user there
                subprocess.run(["chroot", root, "userdel", "xunzhang"], check=False, capture_output=True)
            command = inside(root, f"sh -ec {shlex.quote(f'cd {folder}; {rest}')}", env)
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, f"RUN {rest}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    yield root
    shutil.rmtree(root.parent / "data", ignore_errors=True)


@contextmanager
def started(root: Path, env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """What ENTRYPOINT starts, once it says where it listens."""
    (entry,) = of("ENTRYPOINT")
    (user,) = of("USER")
    command = inside(root, shlex.join(json.loads(entry)), env, user=user, locked=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = ""
        while "http://" not in line and process.poll() is None:
            line = process.stdout.readline()
        found = re.search(r"http://\S+?:(\d+)", line)
        assert found is not None, (process.stderr or process.stdout).read()
        yield process, found[1]
        process.kill()


def test_the_image_is_built_serves_as_nobody_special_and_ends_in_order(built: Path) -> None:
    (user,) = of("USER")
    env = {**OUTSIDE, **environment(), "XUNZHANG_PORT": "0"}
    make = "python -P -m scripts.manage keys create --scope admin"
    made = subprocess.run(inside(built, make, env, user=user, locked=True), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    secret = re.findall(r"\S{30,}", made.stdout)[-1]
    with started(built, env) as (process, port):
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/search?q=%E8%BD%A6", headers={"Authorization": f"Bearer {secret}"}
        )
        loopback = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with loopback.open(asked, timeout=30) as answer:
            assert json.load(answer)["hits"]
        (line,) = of("HEALTHCHECK")
        check = shlex.join(json.loads(line[line.index("[") :]))
        healthy = inside(built, check, {**env, "XUNZHANG_PORT": port}, user=user, locked=True)
        assert subprocess.run(healthy, check=False).returncode == 0
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\s+10001\s", status, re.M)
        process.terminate()  # as STOPSIGNAL says
        assert process.wait(60) == 0
    owners = {path.stat().st_uid for path in (built.parent / "data").rglob("*")}
    assert owners == {10001}  # all it wrote lies in /data
