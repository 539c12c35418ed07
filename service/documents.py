"""Documents over HTTP: list, read, add, replace, remove."""

from __future__ import annotations

from pathlib import Path

from flask import Response, request

from index.corpus import Corpus
from index.errors import NotFoundError
from service import sentences
from service.answers import DocumentFull, DocumentList
from service.fields import DOT_SEGMENTS, first_day, is_strict_id, last_day
from service.gate import Gate, OverloadedError
from service.jobs import job_answer
from service.language import Language, reader_language
from service.operation import FORM, LINES, Operation, Routes, json_response
from service.problems import FieldError
from service.schemas import DocumentRecord, DocumentRecords, ListFields, UploadFields, WriteFields
from service.sent import Files, Lines, Records, Sent
from service.shapes import document_full, document_list
from service.spool import MOST_UNFINISHED, Job, Spool
from service.uploads import received, received_body
from service.validation import check, message, place, read_json, read_query, refuse
from service.worker import Worker
from service.write_answers import JobAnswer, WriteAnswer
from service.writing import Writing


class DocumentsApi:
    """The routes of documents.

    :param corpus: Where they are kept.
    :param gate: Lets one write in, and some wait for it.
    :param max_upload: Largest request with files or lines of records in bytes.
    :param spool: Where what is sent is received, and kept as long as it waits.
    :param worker: Writes what nobody waits for.
    """

    def __init__(self, corpus: Corpus, gate: Gate, max_upload: int, spool: Spool, worker: Worker) -> None:
        self._corpus = corpus
        self._gate = gate
        self._max_upload = max_upload
        self._spool = spool
        self._worker = worker

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
        """Add one record, a list or lines of records, or files; documents that exist are replaced."""
        language = reader_language()
        wait = read_query(request, WriteFields, language).wait
        if request.mimetype == FORM or request.mimetype in LINES:
            return self._received(language, wait)
        value = read_json(request)
        single = not isinstance(value, list)
        # A lone record is checked as one, so that its fields are named without a number.
        records = [check(DocumentRecord, value, language)] if single else _several(value, language)
        if not wait:
            with self._spool.receiving() as folder:
                lines = (record.model_dump_json(exclude_none=True) + "\n" for record in records)
                (folder / "0").write_text("".join(lines), encoding="utf-8")
                return self._later(folder, Job(kind="lines", fields=UploadFields(tags=[]), language=language))
        writing = self._write(Records(records), language)
        location = {"Location": f"/api/v1/documents/{writing.documents[0].id}"} if single else {}
        return json_response(writing.answer(), writing.status, location)

    def put(self, document_id: str) -> Response:
        """Add or replace the document with the id in the address."""
        language = reader_language()
        record = check(DocumentRecord, read_json(request), language)
        if not is_strict_id(document_id):
            refuse([FieldError("document_id", message("strict_id", language))])
        if record.id not in (None, document_id):
            refuse([FieldError("id", message("other_id", language))])
        writing = self._write(Records([record.model_copy(update={"id": document_id})]), language)
        return json_response(writing.answer(), writing.status)

    def delete(self, document_id: str) -> Response:
        """Remove one document with its passages."""
        with self._gate.enter():
            removed = self._corpus.remove([checked_document_id(document_id)])
        if not removed:
            raise _no_such_document(document_id)
        return Response(status=204)

    def _received(self, language: Language, wait: bool) -> Response:
        """Take what is too large for memory: a form's files, or lines of records."""
        request.max_content_length = self._max_upload
        with self._spool.receiving() as folder:
            sent: Files | Lines
            if request.mimetype == FORM:
                fields, uploads = received(request, folder, language)
                sent = Files(fields, uploads)
                job = Job(kind="files", names=[one.name for one in uploads], fields=fields, language=language)
            else:
                sent = Lines(received_body(request, folder))
                job = Job(kind="lines", fields=UploadFields(tags=[]), language=language)
            if not wait:
                return self._later(folder, job)
            writing = self._write(sent, language)
        return json_response(writing.answer(), writing.status)

    def _later(self, folder: Path, job: Job) -> Response:
        """Leave the writing to the worker, and say where to ask for it."""
        if sum(not one.ended for one in self._spool.jobs()) >= MOST_UNFINISHED:
            raise OverloadedError
        job = self._spool.keep(folder, job)
        self._worker.wake()
        return json_response(job_answer(job, None), 202, {"Location": f"/api/v1/jobs/{job.id}"})

    def _write(self, sent: Sent, language: Language) -> Writing:
        writing = Writing(sent, language)
        with self._gate.enter():
            writing.add(self._corpus.add(sent.sources(language), each=writing.take, embed="own"))
        return writing


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
    if is_strict_id(document_id) or document_id in DOT_SEGMENTS:  # an older version took these; they can be removed
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
    english="Add a document, a list of up to 1000, any number as lines of JSON, or files of any format; a document "
    "that exists is replaced. 207: some of what was sent could not be read. With wait=0: 202 and a job.",
    chinese="添加一个文档、至多 1000 个文档的列表、每行一个 JSON 的任意多个文档，或各种格式的文件；"
    "已存在的文档会被替换。207：部分内容未能读取。wait=0 时返回 202 和任务。",
    access="write",
    query=WriteFields,
    body=DocumentRecord,
    form=UploadFields,
    lines=True,
    answers=((200, WriteAnswer), (201, WriteAnswer), (202, JobAnswer), (207, WriteAnswer)),
    problems=(400, 401, 403, 409, 413, 415, 503, 507),
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
    problems=(400, 401, 403, 409, 413, 415, 503, 507),
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
    problems=(401, 403, 404, 409, 503, 507),
    example="""-X DELETE '{base}/api/v1/documents/note-1' -H "Authorization: Bearer $KEY" """,
)
