"""What must be in an answer: each document has a number of its own, so that the right answer is known beforehand.

For questions that is what the server answered before anybody pressed it.
"""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import urlencode

from index.ingest import Source, record_source
from scripts.benchmarking.server import Client

_QUESTIONS = ("有轨电车一趟要走多久", "社区食堂的老人吃饭多少钱", "谁来修老剧院", "新规定什么时候开始", "night bus")
_ENDS = ("", "？", "呢")


def marker(number: int) -> str:
    """The words by which exactly one document is found."""
    return f"卷宗编号{number:07}号"


def record(number: int, text: str) -> dict[str, str]:
    """A document as it is sent."""
    return {"id": f"n{number}", "text": f"{marker(number)}。\n{text}"}


def source(number: int, text: str) -> Source:
    """The same for the library."""
    return record_source(record(number, text), source="")


def path_of(query: str) -> str:
    """The address of a search."""
    return "/api/v1/search?" + urlencode({"q": query, "limit": 5})


class Oracle:
    """Knows right answers.

    :param address: Of a server that nobody else asks yet.
    :param documents: How many numbered documents it has.
    """

    def __init__(self, address: str, documents: int) -> None:
        self.documents = documents
        self._first: dict[str, str | None] = {}
        client = Client(address)
        for question in (begin + end for begin in _QUESTIONS for end in _ENDS):
            hits = json.loads(client.ask(question))["hits"]
            self._first[question] = hits[0]["document"]["id"] if hits else None
        client.close()

    def some_query(self, chance: random.Random) -> str:
        """A number in quotes, or a question."""
        if chance.random() < 0.5:
            return f'"{marker(chance.randrange(self.documents))}"'
        return chance.choice(_QUESTIONS) + chance.choice(_ENDS)

    def is_right(self, query: str, body: bytes) -> bool:
        """Whether the answer to a query of ours has the one document it must have, and for a number no other."""
        try:
            answer: dict[str, Any] = json.loads(body)
            ids = [hit["document"]["id"] for hit in answer["hits"]]
        except (ValueError, KeyError, TypeError):
            return False
        if query in self._first:
            first = self._first[query]
            return first in ids if first else not ids
        return [f'"{marker(int(id_[1:]))}"' for id_ in ids] == [query]
