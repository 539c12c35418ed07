"""Single passages over HTTP."""

from __future__ import annotations

from flask import Response

from index.corpus import Corpus
from index.errors import NotFoundError
from service import sentences
from service.answers import PassageOut
from service.fields import is_strict_id
from service.operation import Operation, Routes, json_response
from service.shapes import passage_out


class PassagesApi:
    """The route of one passage.

    :param corpus: Where it is looked up.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("passages")
        routes.add(GET_PASSAGE, self.get)
        return routes

    def get(self, passage_id: str) -> Response:
        """Answer with one passage and its neighbours' texts."""
        return json_response(passage_out(self._corpus.passage(checked_passage_id(passage_id))))


def checked_passage_id(passage_id: str) -> str:
    """The id itself, if it can be one: a document's id, a colon and a number.

    :raises NotFoundError: Nothing can have this id.
    """
    document_id, _, number = passage_id.rpartition(":")
    # isdigit alone would let other scripts' digits pass, and a long number is no passage's.
    if is_strict_id(document_id) and number.isascii() and number.isdigit() and len(number) <= 9:
        return passage_id
    raise NotFoundError(*(sentence.format(id=repr(passage_id[:200])) for sentence in sentences.NO_SUCH_PASSAGE))


GET_PASSAGE = Operation(
    name="passage",
    method="GET",
    rule="/api/v1/passages/<passage_id>",
    english="Read one passage.",
    chinese="读取一个段落。",
    access="read",
    answers=((200, PassageOut),),
    problems=(401, 403, 404, 409),
    example="'{base}/api/v1/passages/{passage_id}'",
)
