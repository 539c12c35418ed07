"""Documents over HTTP: list, read, add, replace, remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Response, request

from index.corpus import Corpus
from index.errors import NotFoundError
from index.indexing import Summary
from index.ingest import record_source
from service import sentences
from service.answers import DocumentFull, DocumentList, WriteAnswer
from service.fields import first_day, is_strict_id, last_day
from service.gate import Gate
from service.language import Language, reader_language
from service.operation import Operation, Routes, json_response
from service.problems import FieldError, Problem
from service.schemas import DocumentRecord, DocumentRecords, ListFields, UploadFields
from service.shapes import document_full, document_list
from service.uploads import Upload, received, sources
from service.validation import check, message, place, read_json, read_query, refuse


class DocumentsApi:
    """The routes of documents.

    :param corpus: Where they are kept.
    :param gate: How many writes may run and wait at once; they block each other, so few are let in.
    :param max_upload: Largest request with files in bytes.
    """

    def __init__(self, corpus: Corpus, gate: Gate, max_upload: int) -> None:
        self._corpus = corpus
        self._gate = gate
        self._max_upload = max_upload

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
        """Add one record, a list of records, or files; documents that exist are replaced."""
        language = reader_language()
        if request.mimetype == "multipart/form-data":
            return self._upload(language)
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

    def _upload(self, language: Language) -> Response:
        request.max_content_length = self._max_upload
        with TemporaryDirectory(prefix="xunzhang-upload-") as folder:
            fields, uploads = received(request, Path(folder), language)
            with self._gate.enter():
                summary = self._corpus.add(sources(fields, uploads, language))
        refused = [FieldError(upload.name, problem) for upload in uploads for problem in upload.problems]
        if refused and not any(upload.ids for upload in uploads):
            english, chinese = (sentence.format(first=refused[0].message) for sentence in sentences.NOTHING_READ)
            raise Problem(400, "invalid-input", english, chinese, errors=refused)
        answer = _write_answer([id_ for upload in uploads for id_ in upload.ids], summary, uploads)
        return json_response(answer, 207 if refused else 201 if summary.added else 200)

    def _write(self, records: Sequence[DocumentRecord]) -> WriteAnswer:
        found = [record_source(record.model_dump(exclude_none=True), source="") for record in records]
        with self._gate.enter():
            summary = self._corpus.add(found)
        return _write_answer([one.document.id for one in found], summary)


def _write_answer(ids: list[str], summary: Summary, uploads: Sequence[Upload] = ()) -> WriteAnswer:
    return WriteAnswer(
        ids=ids,
        added=summary.added,
        replaced=summary.replaced,
        unchanged=summary.unchanged,
        passages=summary.passages,
        files=[upload.answer() for upload in uploads],
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
    english="Add a document, a list of up to 1000, or files of any format; a document that exists is replaced. "
    "207: some of what was sent could not be read.",
    chinese="添加一个文档、至多 1000 个文档的列表，或各种格式的文件；已存在的文档会被替换。207：部分内容未能读取。",
    access="write",
    body=DocumentRecord,
    form=UploadFields,
    answers=((200, WriteAnswer), (201, WriteAnswer), (207, WriteAnswer)),
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
