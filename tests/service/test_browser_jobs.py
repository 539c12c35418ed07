"""Jobs in the admin corner in a real Chromium: what came of each, what others do, and cancelling after a question."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from index.corpus import Corpus
from service.schemas import UploadFields
from service.spool import Job, Spool
from tests.service.browsing import FERRY, pytestmark  # noqa: F401


def keep(spool: Spool, text: str, *, names: tuple[str, ...] = (), **fields: Any) -> Job:
    """A job that waits for whoever wakes the worker, or that stands as ``fields`` say."""
    with spool.receiving() as folder:
        (folder / "0").write_text(text, encoding="utf-8")
        kind = "files" if names else "lines"
        job = spool.keep(folder, Job(kind=kind, names=list(names), fields=UploadFields(tags=[]), language="zh"))
    if fields:
        spool.update(job.model_copy(update=fields))
    return job


def test_jobs_of_others_are_listed_with_what_came_of_them(desk: Page, own_corpus: Corpus) -> None:
    spool = Spool(own_corpus.data / "jobs")
    expect(desk.locator("#jobs")).to_be_hidden()
    names = ("年鉴.zip", "县志.pdf", "地图.pdf", "目录.txt")
    for number in range(5):
        keep(spool, FERRY, names=(f"旧报{number}.txt",), state="cancelled", documents=number)
    keep(spool, "", names=names, state="running", documents=1200)
    desk.request.post("/api/v1/documents?wait=0", data=[{"id": "lamp", "text": FERRY}])
    desk.reload()
    rows = desk.locator("#jobs li:has(.name)")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("年鉴.zip 等 4 个文件")
    desk.get_by_role("button", name="显示更早的任务").click()
    expect(rows).to_have_count(7)
    expect(rows.nth(2)).to_contain_text("已取消 · 已存入 4 个文档")
    expect(desk.locator("#jobs-more")).to_be_hidden()
    done = rows.filter(has_text="通过接口提交的记录")
    expect(done).to_contain_text("已完成 · 已存入 1 个文档")
    done.get_by_text("处理结果").click()
    expect(done.locator("details li")).to_have_text("新增 1，替换 0，未变 0，移除 0，跳过 0")
    desk.get_by_role("button", name="清除记录：旧报4.txt").click()
    expect(rows).to_have_count(6)
    assert len(spool.jobs()) == 6


def test_a_job_is_cancelled_after_a_question(desk: Page, own_corpus: Corpus) -> None:
    spool = Spool(own_corpus.data / "jobs")
    keep(spool, FERRY, names=("旧报.txt",))
    desk.reload()
    row = desk.locator("#jobs li:has(.name)")
    expect(row).to_contain_text("排队中")
    cancel = desk.get_by_role("button", name="取消任务：旧报.txt")
    cancel.click()
    sure = desk.get_by_role("dialog")
    expect(sure).to_contain_text("旧报.txt")
    expect(sure.get_by_role("button", name="让它继续")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(row).to_contain_text("排队中")
    expect(cancel).to_be_focused()
    cancel.click()
    sure.get_by_role("button", name="取消任务").click()
    expect(row).to_contain_text("已取消")
    assert [job.state for job in spool.jobs()] == ["cancelled"]


def test_what_another_does_is_seen_without_asking(desk: Page, own_corpus: Corpus) -> None:
    spool = Spool(own_corpus.data / "jobs")
    job = keep(spool, FERRY, names=("一.txt", "二.txt"), state="running", documents=1)
    desk.clock.install()
    desk.reload()
    row = desk.locator("#jobs li:has(.name)")
    expect(row).to_contain_text("进行中 · 已存入 1 个文档")
    expect(row.locator("progress")).to_have_attribute("max", "2")
    spool.update(job.model_copy(update={"state": "done", "documents": 2, "answer": None}))
    desk.clock.run_for(2_000)
    expect(row).to_contain_text("已完成 · 已存入 2 个文档")
    expect(row.locator("progress")).to_be_hidden()
