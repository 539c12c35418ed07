"""The admin corner in a real Chromium: keys, uploads, the list, deleting, failures."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from index.corpus import Corpus
from index.ingest import record_source
from service.keys import create_key
from tests.service.browsing import FERRY, hold, pytestmark  # noqa: F401
from tests.service.conftest import serving


def figure(page: Page, field: str) -> Any:
    return page.locator(f"[data-field={field}] dd")


def file(name: str, content: str | bytes) -> FilePayload:
    data = content.encode() if isinstance(content, str) else content
    return FilePayload(name=name, mimeType="text/plain", buffer=data)


def test_the_state_of_the_index_is_shown_and_no_key_asked_where_none_is_needed(desk: Page) -> None:
    expect(figure(desk, "documents")).to_have_text("1")
    expect(figure(desk, "model")).to_have_text("compact")
    expect(figure(desk, "reranker")).to_have_text("无")
    expect(figure(desk, "bytes")).to_have_text(re.compile(r"^[\d.,]+\s?[kMG]B$"))
    expect(desk.locator("#key-form")).to_be_hidden()
    expect(desk.locator("#documents tr")).to_have_count(1)


def test_chosen_files_are_uploaded_one_by_one_and_can_be_found(desk: Page) -> None:
    expect(figure(desk, "documents")).to_have_text("1")
    desk.get_by_label("来源", exact=True).fill("港口")
    desk.get_by_label("标签").fill("航运，夜班")
    files = [file("夜航.txt", f"渡轮恢复夜航\n\n{FERRY}"), file("坏.pdf", b"%PDF-1.7 nothing of the kind")]
    desk.locator("#files").set_input_files(files)
    rows = desk.locator("#uploads > li")
    expect(rows.filter(has_text="夜航.txt")).to_contain_text("收录 1 个文档")
    bad = rows.filter(has_text="坏.pdf")
    expect(bad).to_have_attribute("data-state", "failed")
    expect(bad.locator("ul li")).not_to_have_count(0)
    expect(rows.locator("progress")).to_have_count(0)
    expect(figure(desk, "documents")).to_have_text("2")
    expect(desk.locator("#documents")).to_contain_text("港口")
    desk.goto("/?q=" + quote("渡轮夜航") + "&tag=" + quote("夜班"))
    expect(desk.locator(".hit h2").first).to_have_text(re.compile("夜航"))


def test_files_are_dropped(desk: Page) -> None:
    expect(figure(desk, "documents")).to_have_text("1")
    drop = desk.locator("#drop")
    carried = desk.evaluate_handle(
        """text => {
            const carried = new DataTransfer();
            carried.items.add(new File([text], "航班.txt", { type: "text/plain" }));
            return carried;
        }""",
        FERRY,
    )
    drop.dispatch_event("dragenter", {"dataTransfer": carried})
    expect(drop).to_have_attribute("data-over", "")
    drop.dispatch_event("drop", {"dataTransfer": carried})
    expect(drop).not_to_have_attribute("data-over", "")
    expect(desk.locator("#uploads > li")).to_contain_text("收录 1 个文档")
    # Beside the area a file is not opened in place of the page.
    assert not desk.evaluate("document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true }))")


def test_how_much_has_gone_is_told(desk: Page) -> None:
    expect(figure(desk, "documents")).to_have_text("1")
    held = hold(desk, "/api/v1/jobs/")
    desk.evaluate(
        """() => {
            window.seen = [];
            const bars = new MutationObserver(all => all.forEach(one => window.seen.push(one.target.value)));
            bars.observe(document.getElementById("uploads"), { attributeFilter: ["value"], subtree: true });
        }"""
    )
    with desk.expect_request("**/api/v1/jobs/*"):
        desk.locator("#files").set_input_files([file("长.txt", FERRY * 20_000)])
    expect(desk.locator("#uploads > li")).to_contain_text("正在建立索引")
    expect(desk.locator("#uploads progress")).not_to_have_attribute("value", "0")
    assert desk.evaluate("window.seen.length") > 0
    held[0].continue_()
    desk.unroute_all()
    expect(desk.locator("#uploads > li")).to_contain_text("收录 1 个文档")


def test_an_upload_is_cancelled_in_its_own_row(desk: Page) -> None:
    cancelled: list[str] = []

    def take(route: Route) -> None:
        """As where the job runs on until it is cancelled."""
        if route.request.method == "DELETE":
            cancelled.append(route.request.url)
            route.fulfill(status=204)
        else:
            state = "cancelled" if cancelled else "running"
            route.fulfill(json={**route.fetch().json(), "state": state, "documents": 3, "answer": None})

    desk.route("**/api/v1/jobs/*", take)
    desk.locator("#files").set_input_files([file("长.txt", FERRY)])
    row = desk.locator("#uploads > li")
    row.get_by_role("button", name="取消任务：长.txt").click()
    desk.get_by_role("dialog").get_by_role("button", name="取消任务").click()
    expect(row).to_contain_text("已取消，此前已存入 3 个文档")
    expect(row.get_by_role("button")).to_have_count(0)
    expect(desk.locator("#jobs")).to_be_hidden()  # it is told once
    assert len(cancelled) == 1


def test_an_upload_outlives_a_service_that_is_away_for_a_while(desk: Page) -> None:
    away = True
    desk.route("**/api/v1/jobs/*", lambda route: route.abort() if away else route.continue_())
    desk.locator("#files").set_input_files([file("夜航.txt", FERRY)])
    row = desk.locator("#uploads > li")
    expect(row.locator("ul")).to_have_text("请检查网络，或稍后再试。")
    expect(row).to_contain_text("正在建立索引")
    away = False
    expect(row).to_contain_text("收录 1 个文档")
    expect(row).not_to_contain_text("请检查网络")


def test_deleting_asks_first(desk: Page) -> None:
    button = desk.get_by_role("button", name="删除：市区今冬少见蓝天")
    button.click()
    sure = desk.get_by_role("dialog")
    expect(sure).to_contain_text("市区今冬少见蓝天")
    expect(sure.get_by_role("button", name="取消")).to_be_focused()  # Enter by habit deletes nothing
    desk.keyboard.press("Enter")
    expect(sure).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    desk.keyboard.press("Escape")
    expect(desk.locator("#documents tr")).to_have_count(1)
    button.click()
    sure.get_by_role("button", name="删除").click()
    expect(desk.locator("#said")).to_have_text("已删除：市区今冬少见蓝天")
    expect(desk.locator("#documents")).to_have_text("没有文档")
    expect(figure(desk, "documents")).to_have_text("0")


def test_the_list_is_searched_and_paged(desk: Page, own_corpus: Corpus) -> None:
    own_corpus.add(
        record_source({"id": f"note-{n:02}", "title": f"值班记录{n}", "text": f"第{n}夜一切如常。"}, source="")
        for n in range(25)
    )
    desk.reload()
    rows = desk.locator("#documents tr")
    expect(rows).to_have_count(20)
    expect(desk.locator("#range")).to_have_text("第 1–20 个，共 26 个")
    expect(desk.get_by_role("button", name="上一页")).to_be_disabled()
    desk.get_by_role("button", name="下一页").click()
    expect(rows).to_have_count(6)
    expect(desk.locator("#range")).to_have_text("第 21–26 个，共 26 个")
    desk.get_by_role("searchbox").fill("记录24")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    expect(desk.locator("h1")).to_have_text("值班记录24")


def test_a_composition_in_the_lists_search_is_left_alone(desk: Page) -> None:
    expect(desk.locator("#documents tr")).to_have_count(1)
    field = desk.get_by_role("searchbox")
    field.focus()
    desk.clock.install()
    sent: list[str] = []
    desk.on("request", lambda asked: sent.append(asked.url))
    devtools = desk.context.new_cdp_session(desk)
    devtools.send("Input.imeSetComposition", {"text": "zhi", "selectionStart": 3, "selectionEnd": 3})
    expect(field).to_have_value("zhi")
    desk.clock.run_for(5_000)
    assert sent == []
    devtools.send("Input.insertText", {"text": "植"})
    desk.clock.run_for(5_000)
    expect(desk.locator("#documents")).to_have_text("没有文档")


def test_a_key_is_asked_where_one_is_needed_and_kept_in_this_tab_only(browser: Browser, own_corpus: Corpus) -> None:
    _, reader = create_key(own_corpus.data, "search")
    _, keeper = create_key(own_corpus.data, "admin")
    with serving(own_corpus, host="0.0.0.0") as address:
        context = browser.new_context(locale="zh-CN")
        page = context.new_page()
        page.goto(f"{address}/admin")
        field = page.get_by_label("密钥", exact=True)
        expect(field).to_be_focused()
        expect(page.locator("#desk")).to_be_hidden()
        expect(page.locator("#key-wrong")).to_be_hidden()
        for wrong in ("guessed", "钥匙", reader):
            field.fill(wrong)
            page.keyboard.press("Enter")
            expect(page.locator("#key-wrong")).to_be_visible()
            expect(field).to_have_value("")
        field.fill(keeper)
        page.keyboard.press("Enter")
        expect(figure(page, "documents")).to_have_text("1")
        page.locator("#files").set_input_files([file("夜航.txt", FERRY)])
        expect(page.locator("#uploads > li")).to_contain_text("收录 1 个文档")
        page.reload()
        expect(figure(page, "documents")).to_have_text("2")
        kept = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
        assert kept == [[keeper], [], ""]
        assert keeper not in page.url
        other = context.new_page()
        other.goto(f"{address}/admin")
        expect(other.get_by_label("密钥", exact=True)).to_be_visible()
        page.get_by_role("button", name="忘记密钥").click()
        expect(field).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        context.close()


def test_failures_are_told_in_the_services_words(desk: Page) -> None:
    expect(desk.locator("#documents tr")).to_have_count(1)
    said = desk.locator("#said")
    desk.route("**/api/v1/documents/*", lambda route: route.fulfill(
        status=503, content_type="application/problem+json", json={"detail": "索引正忙，请稍后再试。"}))  # fmt: skip
    desk.get_by_role("button", name="删除：市区今冬少见蓝天").click()
    desk.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(said).to_have_text("没有成功：索引正忙，请稍后再试。")
    expect(desk.locator("#documents tr")).to_have_count(1)
    desk.unroute_all()
    desk.context.set_offline(True)
    desk.get_by_role("searchbox").fill("市区")
    expect(said).to_have_text("没有成功：请检查网络，或稍后再试。")
    desk.locator("#files").set_input_files([file("夜航.txt", FERRY)])
    expect(desk.locator("#uploads > li")).to_contain_text("没有收录")
    expect(desk.locator("#uploads > li ul")).to_have_text("请检查网络，或稍后再试。")
    desk.context.set_offline(False)
    desk.locator("#files").set_input_files([file("夜航.txt", FERRY)])
    expect(desk.locator("#uploads > li").first).to_contain_text("收录 1 个文档")
    expect(said).to_be_hidden()


def test_titles_and_file_names_are_text(desk: Page, own_corpus: Corpus) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    own_corpus.add([record_source({"id": "evil", "title": evil, "source": evil, "text": FERRY}, source="")])
    desk.reload()
    expect(desk.locator("#documents")).to_contain_text(evil)
    desk.locator("#files").set_input_files([file(f"{evil}.txt", FERRY)])
    expect(desk.locator("#uploads")).to_contain_text(evil)
    expect(desk.locator("#uploads")).to_contain_text("收录 1 个文档")
    desk.reload()
    expect(desk.locator("#jobs")).to_contain_text(evil)
    desk.get_by_role("button", name=f"删除：{evil}").first.click()
    expect(desk.get_by_role("dialog").locator(".asked")).to_have_text(evil)
    desk.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(desk.locator("#said")).to_contain_text(evil)
    assert desk.evaluate("window.hacked") is None
    expect(desk.locator("main img")).to_have_count(0)
