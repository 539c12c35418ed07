"""Three short texts, lines of records, and how such are sent and found."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

FERRY = "渡轮公司宣布恢复夜间航班，末班船推迟到凌晨一点。"
LAMP = "灯塔每十秒闪光一次，守塔人已在岛上住了三十年。"
KILN = "旧砖窑改成了陶艺教室，周末有三十个孩子来捏泥碗。"


def lines(*records: dict[str, Any] | str) -> bytes:
    return "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records).encode()


def post(client: FlaskClient, body: bytes, query: str = "") -> TestResponse:
    return client.post(f"/api/v1/documents{query}", data=body, content_type="application/x-ndjson")


def found(client: FlaskClient, query: str) -> list[str]:
    hits = client.post("/api/v1/search", json={"query": query, "mode": "lexical"}).json["hits"]
    return [hit["document"]["id"] for hit in hits]
