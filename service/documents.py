"""Documents over HTTP: list, read, add, replace, remove."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request

from index.corpus import Corpus
from index.errors import NotFoundError
from index.ingest import record_source
from service import sentences
from service.answers import DocumentFull, DocumentList, WriteAnswer
from service.fields import first_day, is_strict_id, last_day
from service.gate import Gate
from service.language import Language, reader_language
from service.operation import Operation, Routes, json_response
from service.problems import FieldError
from service.schemas import DocumentRecord, DocumentRecords, ListFields
from service.shapes import document_full, document_list
from service.validation import check, message, place, read_json, read_query, refuse


class DocumentsApi:
    """The routes of documents.

    :param corpus: Where they are kept.
    :param gate: How many writes may run and wait at once; they block each other, so few are let in.
    """

    def __init__(self, corpus: Corpus, gate: Gate) -> None:
        self._corpus = corpus
        self._gate = gate

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("documents")
        for operation, view in (
            (GET_DOCUMENTS, self.list),
            (POST_DOCUMENTS, self.add),
            (GET_DOCUMENT, self.get),
            (PUT_DOCUMENT, self.put),
            (DELETE_DOCUMENT, self.delete),
        ):
            routes.add(operation, view)
        return routes

    def list(self) -> Response:
        """Answer with a page of the list of documents."""
        fields = read_query(request, ListFields, reader_language())
        page = self._corpus.documents(
            limit=fields.limit,
            offset=fields.offset,
            source=fields.source,
            query=fields.q,
            date_from=first_day(fields.date_from),
            date_to=last_day(fields.date_to),
        )
        return json_response(document_list(page))

    def get(self, document_id: str) -> Response:
        """Answer with one document and its passages."""
        return json_response(document_full(self._corpus.document(checked_document_id(document_id))))

    def add(self) -> Response:
        """Add one record or a list of records; those whose id exists are replaced."""
        language = reader_language()
        value = read_json(request)
        single = not isinstance(value, list)
        # A lone record is checked as one, so that its fields are named without a number.
        records = [check(DocumentRecord, value, language)] if single else _several(value, language)
        answer = self._write(records)
        location = {"Location": f"/api/v1/documents/{answer.ids[0]}"} if single else {}
        return json_response(answer, 201 if answer.added else 200, location)

    def put(self, document_id: str) -> Response:
        """Add or replace the document with the id in the address."""
        language = reader_language()
        record = check(DocumentRecord, read_json(request), language)
        if not is_strict_id(document_id):
            refuse([FieldError("document_id", message("strict_id", language))])
        if record.id not in (None, document_id):
            refuse([FieldError("id", message("other_id", language))])
        answer = self._write([record.model_copy(update={"id": document_id})])
        return json_response(answer, 201 if answer.added else 200)

    def delete(self, document_id: str) -> Response:
        """Remove one document with its passages."""
        with self._gate.enter():
            removed = self._corpus.remove([checked_document_id(document_id)])
        if not removed:
            raise _no_such_document(document_id)
        return Response(status=204)

    def _write(self, records: Sequence[DocumentRecord]) -> WriteAnswer:
        sources = [record_source(record.model_dump(exclude_none=True), source="") for record in records]
        with self._gate.enter():
            summary = self._corpus.add(sources)
        return WriteAnswer(
            ids=[source.document.id for source in sources],
            added=summary.added,
            replaced=summary.replaced,
            unchanged=summary.unchanged,
            passages=summary.passages,
            degraded=["dense"] if summary.trouble else [],
        )


def _several(value: object, language: Language) -> list[DocumentRecord]:
    records = check(DocumentRecords, value, language).root
    seen: set[str] = set()
    for number, record in enumerate(records):
        if record.id in seen:
            refuse([FieldError(place((number, "id")), message("twice", language, id=record.id))])
        if record.id is not None:
            seen.add(record.id)
    return records


def checked_document_id(document_id: str) -> str:
    """The id itself, if it can be one.

    :raises NotFoundError: Nothing can have this id.
    """
    if is_strict_id(document_id):
        return document_id
    raise _no_such_document(document_id)


def _no_such_document(document_id: str) -> NotFoundError:
    english, chinese = (sentence.format(id=repr(document_id[:200])) for sentence in sentences.NO_SUCH_DOCUMENT)
    return NotFoundError(english, chinese)


GET_DOCUMENTS = Operation(
    name="list_documents",
    method="GET",
    rule="/api/v1/documents",
    english="List the documents, ordered by id.",
    chinese="列出文档，按编号排序。",
    access="read",
    query=ListFields,
    answers=((200, DocumentList),),
    problems=(400, 401, 403, 409),
    example="'{base}/api/v1/documents?limit=5'",
)
POST_DOCUMENTS = Operation(
    name="add_documents",
    method="POST",
    rule="/api/v1/documents",
    english="Add a document, or a list of up to 1000; a document whose id exists is replaced.",
    chinese="添加一个文档，或至多 1000 个文档的列表；编号已存在的文档会被替换。",
    access="write",
    body=DocumentRecord,
    answers=((200, WriteAnswer), (201, WriteAnswer)),
    problems=(400, 401, 403, 409, 413, 415, 503),
    example="""'{base}/api/v1/documents' -H "Authorization: Bearer $KEY" """
    """--json '{"id": "note-1", "title": "植树", "text": "今年春天全市植树一百万棵。", "date": "2024-03-12"}'""",
)
GET_DOCUMENT = Operation(
    name="document",
    method="GET",
    rule="/api/v1/documents/<document_id>",
    english="Read one document with its passages.",
    chinese="读取一个文档及其段落。",
    access="read",
    answers=((200, DocumentFull),),
    problems=(401, 403, 404, 409),
    example="'{base}/api/v1/documents/{document_id}'",
)
PUT_DOCUMENT = Operation(
    name="put_document",
    method="PUT",
    rule="/api/v1/documents/<document_id>",
    english="Add or replace the document with this id.",
    chinese="添加或替换此编号的文档。",
    access="write",
    body=DocumentRecord,
    answers=((200, WriteAnswer), (201, WriteAnswer)),
    problems=(400, 401, 403, 409, 413, 415, 503),
    example="""-X PUT '{base}/api/v1/documents/note-1' -H "Authorization: Bearer $KEY" """
    """--json '{"title": "植树", "text": "今年春天全市植树一百二十万棵。"}'""",
)
DELETE_DOCUMENT = Operation(
    name="delete_document",
    method="DELETE",
    rule="/api/v1/documents/<document_id>",
    english="Remove a document with its passages.",
    chinese="删除一个文档及其段落。",
    access="write",
    answers=((204, None),),
    problems=(401, 403, 404, 409, 503),
    example="""-X DELETE '{base}/api/v1/documents/note-1' -H "Authorization: Bearer $KEY" """,
)
