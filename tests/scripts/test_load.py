"""A server asked for more than it can do: it refuses, answers nothing wrong, and keeps what it acknowledged."""

from __future__ import annotations

import json


def test_a_pressed_server_refuses_rather_than_errs(command) -> None:
    done = command("load", "--json", "--documents", "120", "--factors", "0.5,4", "--seconds", "4")
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    easy, hard = told["stages"]
    for stage in (easy, hard):
        assert stage["asked"] == stage["answered"] + stage["refused"] + stage["other"]
        assert (stage["other"], stage["wrong"]) == (0, 0), stage["kinds"]
        assert stage["answered"] > 0
        assert min(stage["before"], stage["after"]) > 1
        assert stage["rate"] == stage["factor"] * stage["before"]
        assert 0 < stage["p50"] <= stage["p99"]
        assert min(stage["memory"]) > 100
    assert hard["refused"] > hard["answered"] / 10  # four times its capacity cannot all be answered
    assert easy["changes"] + hard["changes"] > 1
