"""Pages and their files are packed for who can unpack them, and the same to who cannot."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

PATHS = ["/", "/?q=水库水位", "/static/page.css", "/static/page.js", "/static/search-box-texts.js", "/docs"]


@pytest.mark.parametrize("path", PATHS)
def test_packed_or_not_it_is_the_same(client: FlaskClient, path: str) -> None:
    plain = client.get(path, headers={"Accept": "text/html"})
    packed = client.get(path, headers={"Accept": "text/html", "Accept-Encoding": "br, gzip;q=0.8"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    if "q=" not in path:  # the time a search took is told on its page
        assert gzip.decompress(packed.data) == plain.data
    for answer in (plain, packed):
        assert {"accept-encoding", "accept-language"} <= {name.lower() for name in answer.vary}


def test_a_file_that_did_not_change_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/static/page.css", headers={"Accept-Encoding": "gzip"})
    assert first.headers["ETag"].startswith("W/")
    again = client.get("/static/page.css", headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br"])
def test_who_cannot_unpack_gets_it_plain(client: FlaskClient, accepted: str) -> None:
    answer = client.get("/static/page.css", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert answer.text.startswith("/*")


def test_the_api_and_small_files_stay_as_they_are(client: FlaskClient) -> None:
    for path in ("/api/v1/search?q=水库水位", "/static/seal.svg"):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


def test_a_head_names_no_body_it_does_not_have(client: FlaskClient) -> None:
    answer = client.head("/static/page.css", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.data == b""
