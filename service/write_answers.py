"""What is answered to those who write: what became of documents, files and jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from service.answers import Out, ProblemOut
from service.fields import about


class FileAnswer(Out):
    """What became of one uploaded file."""

    name: Annotated[str, about("Its name, without folders.", "文件名，不含文件夹。")]
    documents: Annotated[int, about("Documents read from it; 0: it was refused.", "从中读出的文档数；0 表示未收录。")]
    ids: Annotated[list[str], about("Ids of the first 1000 of them.", "其中前 1000 个文档的编号。")]
    problems: Annotated[list[str], about("What could not be read, and why.", "未能读取的内容及原因。")]
    notes: Annotated[list[str], about("What is worth knowing of what was read.", "读取时值得注意的事项。")]


class DocumentAnswer(Out):
    """What became of one document that was sent."""

    id: Annotated[str | None, about("Its id; null where it could not be read.", "文档编号；未能读取时为 null。")]
    name: Annotated[
        str,
        about(
            "The file it is in, or body: and the number of its line; else empty.",
            "所在文件，或 body: 加行号；否则为空。",
        ),
    ]
    outcome: Annotated[
        Literal["added", "replaced", "unchanged", "skipped"],
        about("What was done with it.", "处理结果：新增、替换、未变或跳过。"),
    ]
    problem: Annotated[str | None, about("Why it was skipped.", "跳过的原因。")]


class WriteAnswer(Out):
    """What became of the documents sent. They are searchable when this arrives, unless ``degraded`` says otherwise."""

    ids: Annotated[
        list[str], about("Ids of the first 1000 documents, in the order sent.", "前 1000 个文档的编号，按发送顺序。")
    ]
    added: Annotated[int, about("Documents that are new.", "新增的文档数。")]
    replaced: Annotated[int, about("Documents that were replaced.", "替换的文档数。")]
    unchanged: Annotated[int, about("Documents that were there already.", "没有变化的文档数。")]
    removed: Annotated[
        int, about("Documents that an earlier file of the same name had.", "同名旧文件中有、新文件中已没有的文档数。")
    ] = 0
    skipped: Annotated[int, about("What could not be read.", "未能读取的项数。")] = 0
    passages: Annotated[int, about("Passages they have.", "段落数。")]
    documents: Annotated[
        list[DocumentAnswer],
        about(
            "What became of the first 1000 documents and of what was skipped, one by one.",
            "前 1000 个文档及跳过项的逐项结果。",
            default_factory=list,
        ),
    ]
    files: Annotated[
        list[FileAnswer], about("What became of each uploaded file.", "每个上传文件的处理结果。", default_factory=list)
    ]
    degraded: Annotated[
        list[str],
        about(
            "dense: the model cannot be had; words find the documents, meaning once it is back. indexes: the disk is "
            "full; the documents are stored, and found once there is room.",
            "dense：模型暂不可用；文档可按字词找到，模型恢复后可按语义找到。indexes：磁盘已满；文档已存入，"
            "腾出空间后即可找到。",
        ),
    ]


class JobAnswer(Out):
    """Documents that are being written, or wait for it, or were."""

    id: Annotated[str, about("Its id.", "任务编号。")]
    state: Annotated[
        Literal["queued", "running", "done", "failed", "cancelled"],
        about(
            "queued: waits; running; done: see answer; failed: see problem; cancelled: what was written stays.",
            "queued：等待；running：进行中；done：见 answer；failed：见 problem；cancelled：已取消，写入的保留。",
        ),
    ]
    cancelling: Annotated[
        bool, about("Somebody cancelled it; it stops after the part at hand.", "已请求取消，当前一批写完即停。")
    ]
    names: Annotated[list[str], about("Names of the first 3 files sent.", "所发文件中前 3 个的名称。")]
    created: Annotated[str, about("When it was sent, ISO 8601 in UTC.", "提交时间（ISO 8601，UTC）。")]
    finished: Annotated[str, about("When it ended, or empty.", "结束时间，可为空。")]
    stage: Annotated[
        str,
        about("read, encode or publish while it runs, else empty.", "进行中的阶段：read、encode、publish；否则为空。"),
    ]
    documents: Annotated[int, about("Documents stored so far.", "目前已存入的文档数。")]
    files: Annotated[int, about("Files sent.", "文件数。")]
    files_done: Annotated[int, about("Files that lie behind.", "已处理的文件数。")]
    answer: Annotated[
        WriteAnswer | None, about("What became of all, when done; not in a list.", "完成后的处理结果；列表中不含。")
    ]
    problem: Annotated[ProblemOut | None, about("Why it failed.", "失败原因。")]


class JobList(Out):
    """Jobs, the newest first."""

    jobs: list[JobAnswer]
