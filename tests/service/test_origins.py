"""Other sites: nothing unless they are named, reading where they are, writing never."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import SettingError
from service.settings import Settings

SITE = "https://news.example"
ALLOWED = "Access-Control-Allow-Origin"
READ, WRITE = "/api/v1/search", "/api/v1/documents"

Make = Callable[..., FlaskClient]


def preflight(client: FlaskClient, path: str, method: str, origin: str = SITE) -> dict[str, str]:
    headers = {"Origin": origin, "Access-Control-Request-Method": method,
               "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    return dict(client.options(path, headers=headers).headers)


def test_without_the_setting_no_site_is_allowed(client: FlaskClient) -> None:
    assert ALLOWED not in client.get(f"{READ}?q=植树", headers={"Origin": SITE}).headers
    assert ALLOWED not in preflight(client, READ, "GET")


def test_a_named_site_may_search_with_a_key(corpus: Corpus, make_client: Make) -> None:
    client = make_client(corpus, allowed_origins=(SITE,))
    answer = client.get(f"{READ}?q=植树", headers={"Origin": SITE})
    assert answer.headers[ALLOWED] == SITE
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for method in ("GET", "POST"):
        headers = preflight(client, READ, method)
        assert headers[ALLOWED] == SITE
        assert headers["Access-Control-Allow-Methods"] == method
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert client.get(f"{READ}?q=", headers={"Origin": SITE}).headers[ALLOWED] == SITE  # problems can be read too


@pytest.mark.parametrize(
    "origin", ["https://news.example.evil", "http://news.example", "https://news.example:8443", "null"]
)
def test_another_site_is_not_allowed(corpus: Corpus, make_client: Make, origin: str) -> None:
    client = make_client(corpus, allowed_origins=(SITE,))
    answer = client.get(f"{READ}?q=植树", headers={"Origin": origin})
    assert ALLOWED not in answer.headers
    assert "Origin" in answer.headers["Vary"]
    assert ALLOWED not in preflight(client, READ, "GET", origin)


@pytest.mark.parametrize("allowed", [(SITE,), ("*",)])
@pytest.mark.parametrize(("path", "method"), [(WRITE, "POST"), (f"{WRITE}/a", "PUT"), (f"{WRITE}/a", "DELETE")])
def test_no_site_may_write(corpus: Corpus, make_client: Make, allowed: tuple[str, ...], path: str, method: str) -> None:
    client = make_client(corpus, allowed_origins=allowed)
    headers = preflight(client, path, method)
    assert ALLOWED not in headers
    assert "Access-Control-Allow-Headers" not in headers
    assert ALLOWED in preflight(client, path, "GET")


@pytest.mark.parametrize("path", ["/", "/?q=植树", "/documents/paper-1", "/docs"])
def test_pages_are_for_nobody_elses_scripts(corpus: Corpus, make_client: Make, path: str) -> None:
    assert ALLOWED not in make_client(corpus, allowed_origins=("*",)).get(path, headers={"Origin": SITE}).headers


@pytest.mark.parametrize("origin", ["news.example", "https://news.example/", "https://*.example", "null", "ftp://a"])
def test_what_is_no_origin_is_refused_by_name(origin: str) -> None:
    with pytest.raises(SettingError, match=r"XUNZHANG_ALLOWED_ORIGINS .* https://news\.example"):
        Settings.from_environment({"XUNZHANG_ALLOWED_ORIGINS": origin})


def test_origins_are_read_as_a_list() -> None:
    settings = Settings.from_environment({"XUNZHANG_ALLOWED_ORIGINS": f"{SITE}, http://LOCALHOST:3000,"})
    assert settings.allowed_origins == (SITE, "http://localhost:3000")


def test_the_boxs_script_can_be_loaded_and_asked_for_again(corpus: Corpus, make_client: Make) -> None:
    client = make_client(corpus, allowed_origins=(SITE,))
    for name in ("search-box.js", "search-box-texts.js"):
        script = client.get(f"/static/{name}", headers={"Origin": SITE})
        assert script.headers[ALLOWED] == SITE
        assert script.mimetype == "text/javascript"
        again = client.get(f"/static/{name}", headers={"Origin": SITE, "If-None-Match": script.headers["ETag"]})
        assert again.status_code == 304
        assert again.headers[ALLOWED] == SITE
