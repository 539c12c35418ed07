"""Jobs over HTTP: how writings stand that nobody waits for, and leaving them."""

from __future__ import annotations

from flask import Response

from index.errors import NotFoundError
from service import sentences
from service.operation import Operation, Routes, json_response
from service.spool import Job, Spool
from service.worker import Progress, Worker
from service.write_answers import JobAnswer, JobList

NAMES_TOLD = 3


class JobsApi:
    """The routes of jobs.

    :param spool: Where they are kept.
    :param worker: Who works on them.
    """

    def __init__(self, spool: Spool, worker: Worker) -> None:
        self._spool = spool
        self._worker = worker

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("jobs")
        for operation, view in ((GET_JOBS, self.list), (GET_JOB, self.get), (DELETE_JOB, self.delete)):
            routes.add(operation, view)
        return routes

    def list(self) -> Response:
        """Answer with all jobs, the newest first."""
        return json_response(JobList(jobs=[self._answer(job) for job in reversed(self._spool.jobs())]))

    def get(self, job_id: str) -> Response:
        """Answer with how a job stands."""
        return json_response(self._answer(self._found(job_id)))

    def delete(self, job_id: str) -> Response:
        """Cancel a job, which stops after the part at hand; forget one that has ended."""
        if self._found(job_id).ended:
            self._spool.forget(job_id)
        else:
            self._spool.cancel(job_id)
        return Response(status=204)

    def _answer(self, job: Job) -> JobAnswer:
        return job_answer(job, self._worker.progress, cancelling=self._spool.cancelled(job.id))

    def _found(self, job_id: str) -> Job:
        job = self._spool.find(job_id)
        if job is None:
            english, chinese = (sentence.format(id=repr(job_id[:200])) for sentence in sentences.NO_SUCH_JOB)
            raise NotFoundError(english, chinese)
        return job


def job_answer(job: Job, progress: Progress | None, *, cancelling: bool = False) -> JobAnswer:
    """The JSON shape of a job.

    :param progress: Of the job at work, which may be another.
    :param cancelling: Whether somebody asked to cancel it.
    """
    at_work = progress if progress is not None and progress.id == job.id else None
    return JobAnswer(
        id=job.id,
        state=job.state,
        created=job.created,
        finished=job.finished,
        cancelling=cancelling and not job.ended,
        names=job.names[:NAMES_TOLD],
        stage=at_work.stage if at_work else "",
        documents=max(at_work.documents if at_work else 0, job.documents),
        files=len(job.names),
        files_done=at_work.files_done if at_work else len(job.names) if job.state == "done" else 0,
        answer=job.answer,
        problem=job.problem,
    )


GET_JOBS = Operation(
    name="list_jobs",
    method="GET",
    rule="/api/v1/jobs",
    english="List the jobs without their answers, the newest first; the last 100 that ended are kept.",
    chinese="列出任务（不含处理结果），最新的在前；已结束的保留最近 100 个。",
    access="write",
    answers=((200, JobList),),
    problems=(401, 403, 507),
    example="""'{base}/api/v1/jobs' -H "Authorization: Bearer $KEY" """,
)
GET_JOB = Operation(
    name="job",
    method="GET",
    rule="/api/v1/jobs/<job_id>",
    english="How a job stands, and what came of it.",
    chinese="任务的进度与结果。",
    access="write",
    answers=((200, JobAnswer),),
    problems=(401, 403, 404, 507),
    example="""'{base}/api/v1/jobs/{job_id}' -H "Authorization: Bearer $KEY" """,
)
DELETE_JOB = Operation(
    name="delete_job",
    method="DELETE",
    rule="/api/v1/jobs/<job_id>",
    english="Cancel a job, which stops after the part at hand, or forget one that ended; what it has written stays.",
    chinese="取消任务（写完当前一批即停），或删除已结束任务的记录；已写入的文档保留。",
    access="write",
    answers=((204, None),),
    problems=(401, 403, 404, 507),
    example="""-X DELETE '{base}/api/v1/jobs/{job_id}' -H "Authorization: Bearer $KEY" """,
)
