"""Files sent by a form: read as files on the disk are, answered one by one."""

from __future__ import annotations

import io
import json
import threading
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, TestResponse

from index.corpus import Corpus
from service.app import create_app
from service.server import Server
from service.settings import Settings
from service.uploads import shown_name
from tests.index.documents import docx, zipped
from tests.service.records import KILN

FERRY = "渡轮公司宣布恢复夜间航班，末班船推迟到凌晨一点。码头的候船室也将通宵开放。"
NORTH, SOUTH = "北站广场的地下停车场下月启用，共有车位三百个。", "南站开通了夜间公交专线，每半小时一班。"
LAMP = "灯塔每十秒闪光一次，守塔人已在岛上住了三十年。"


def send(client: FlaskClient, *files: tuple[bytes, str], **fields: Any) -> TestResponse:
    data = {"file": [(io.BytesIO(raw), name) for raw, name in files], **fields}
    return client.post("/api/v1/documents", data=data, content_type="multipart/form-data")


def found(client: FlaskClient, query: str, **more: Any) -> list[dict[str, Any]]:
    return client.post("/api/v1/search", json={"query": query, "mode": "lexical", **more}).json["hits"]


def test_files_of_several_formats_are_found_at_once(own_client: FlaskClient) -> None:
    answer = send(
        own_client,
        (FERRY.encode("gb18030"), "夜航.txt"),
        (docx(LAMP), "灯塔.docx"),
        (zipped({"北站.txt": NORTH.encode("gb18030"), "南站.txt": SOUTH.encode("gb18030")}), "车站.zip"),
    )
    assert answer.status_code == 201
    assert answer.json["added"] == 4
    assert [(file["name"], file["documents"], file["problems"]) for file in answer.json["files"]] == [
        ("夜航.txt", 1, []),
        ("灯塔.docx", 1, []),
        ("车站.zip", 2, []),
    ]
    assert found(own_client, "夜间航班")[0]["document"]["title"] == "夜航"
    assert found(own_client, "守塔人")[0]["text"] == LAMP
    assert found(own_client, "地下停车场")


def test_a_file_sent_again_replaces_the_earlier_one(own_client: FlaskClient) -> None:
    first = send(own_client, (FERRY.encode(), "夜航.txt")).json
    same = send(own_client, (FERRY.encode(), "夜航.txt"))
    assert (same.status_code, same.json["unchanged"], same.json["ids"]) == (200, 1, first["ids"])
    changed = send(own_client, (LAMP.encode(), "夜航.txt")).json
    assert (changed["replaced"], changed["ids"]) == (1, first["ids"])
    assert not found(own_client, '"末班船"')
    elsewhere = send(own_client, (FERRY.encode(), "夜航.txt"), source="港口").json
    assert elsewhere["added"] == 1


def test_collections_with_similar_names_keep_their_own_files(own_client: FlaskClient) -> None:
    names = ["港口/夜航", "港口_夜航", "港口%2F夜航", "港口"]
    sent = [send(own_client, (FERRY.encode(), "末班.txt"), source=name).json for name in names]
    assert [answer["added"] for answer in sent] == [1] * 4
    assert len({answer["ids"][0] for answer in sent}) == 4
    listed = own_client.get("/api/v1/documents?q=末班").json["documents"]
    assert sorted(document["source"] for document in listed) == sorted(names)


def test_what_an_archive_no_longer_holds_is_removed_when_it_is_sent_again(own_client: FlaskClient) -> None:
    def send(members: dict[str, bytes]) -> dict[str, Any]:
        files = {"file": (io.BytesIO(zipped(members)), "港口.zip")}
        answer: dict[str, Any] = own_client.post("/api/v1/documents", data=files).json
        return answer

    send({"渡轮.txt": FERRY.encode(), "灯塔.txt": LAMP.encode()})
    again = send({"灯塔.txt": LAMP.encode(), "砖窑.txt": KILN.encode()})
    assert (again["added"], again["unchanged"], again["removed"]) == (1, 1, 1)
    assert not found(own_client, '"夜间航班"')
    damaged = send({"砖窑.txt": KILN.encode(), "空.txt": b""})  # what could not be read says nothing of what is gone
    assert damaged["removed"] == 0
    assert found(own_client, "守塔人")


def test_source_date_and_tags_go_to_the_documents(own_client: FlaskClient) -> None:
    send(own_client, (FERRY.encode(), "夜航.txt"), source="港口", date="2024-05-01", tags=["航运", "夜间"])
    document = found(own_client, "夜间航班", source="港口")[0]["document"]
    assert (document["date"], document["tags"]) == ("2024-05-01", ["航运", "夜间"])


def test_what_cannot_be_read_is_told_and_the_rest_is_kept(own_client: FlaskClient) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(200)
    answer = send(own_client, (picture, "照片.png"), (b"", "空.txt"), (FERRY.encode(), "夜航.txt"))
    assert answer.status_code == 207
    reasons = {file["name"]: file["problems"] for file in answer.json["files"]}
    assert reasons["夜航.txt"] == []
    assert all(len(reasons[name]) == 1 and name in reasons[name][0] for name in ("照片.png", "空.txt"))
    assert "upload/" not in str(reasons)
    assert found(own_client, "夜间航班")
    nothing = send(own_client, (b"", "空.txt"))
    assert nothing.status_code == 400
    assert nothing.json["errors"][0]["field"] == "空.txt"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"colour": "蓝"}, "colour"), ({"date": "昨天"}, "date"), ({"source": "长" * 501}, "source")],
)
def test_unusable_fields_are_named(own_client: FlaskClient, fields: dict[str, str], field: str) -> None:
    answer = send(own_client, (FERRY.encode(), "夜航.txt"), **fields)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_form_without_files_or_with_two_of_a_name_is_refused(own_client: FlaskClient) -> None:
    assert send(own_client).json["errors"][0]["field"] == "file"
    twice = send(own_client, (FERRY.encode(), "a/夜航.txt"), (LAMP.encode(), "b/夜航.txt"))
    assert twice.status_code == 400
    assert "夜航.txt" in twice.json["errors"][0]["message"]
    assert not found(own_client, "夜间航班")


def test_forms_may_be_larger_than_other_bodies_up_to_a_limit(
    make_client: Callable[..., FlaskClient], own_corpus: Corpus
) -> None:
    client = make_client(own_corpus, max_body=2048, max_upload=8192)
    long = FERRY * 30
    assert client.post("/api/v1/documents", json={"text": long}).status_code == 413
    assert send(client, (long.encode("gb18030"), "夜航.txt")).status_code == 201
    assert send(client, (long.encode() * 4, "夜航.txt")).status_code == 413


def test_a_page_of_another_site_cannot_send_files_without_a_key(own_client: FlaskClient) -> None:
    def sent_from(origin: str) -> int:
        data = {"file": (io.BytesIO(FERRY.encode()), "夜航.txt")}
        return own_client.post("/api/v1/documents", data=data, headers={"Origin": origin}).status_code

    assert sent_from("https://evil.example") == 403
    assert sent_from("null") == 403
    assert sent_from("http://localhost:9999") == 403
    assert sent_from("http://localhost") == 201


def test_a_large_file_goes_through_the_real_server(own_corpus: Corpus) -> None:
    large = "\n".join(f"第{number}天：{LAMP}" for number in range(20_000)).encode()
    form = EnvironBuilder(method="POST", data={"file": [(io.BytesIO(large), "值班日志.txt")]})
    server = Server(create_app(own_corpus, settings=Settings(port=0, max_body=1024)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        sent = form.get_request()
        headers = {"Content-Type": sent.content_type or ""}
        request = Request(f"{server.url}api/v1/documents", sent.get_data(), headers)
        sent.input_stream.close()
        with urlopen(request) as answer:
            assert json.load(answer)["added"] == 1
    finally:
        server.stop()
        thread.join(10)


@given(st.text())
def test_any_name_becomes_one_that_can_be_shown_or_none(sent: str) -> None:
    name = shown_name(sent)
    assert len(name) <= 150
    assert not set(name) & set("/\\")
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in name)
    assert name not in {".", ".."}
    assert shown_name(name) == name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\李\\报告.docx", "报告.docx"),
        ("a\x00b\u202egnp.txt", "abgnp.txt"),
        ("..", ""),
        ("长" * 300 + ".tar.gz", "长" * 143 + ".tar.gz"),
    ],
)
def test_names_keep_their_last_part(sent: str, shown: str) -> None:
    assert shown_name(sent) == shown
