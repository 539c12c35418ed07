"""The hits in a real Chromium: order, filters, similar passages, citations, repeats, context, failures."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from index.corpus import Corpus
from index.ingest import record_source
from tests.service.browsing import QUESTION, hold, pytestmark  # noqa: F401
from tests.service.conftest import serving

BULLETINS = "/?q=" + quote("水库水位公报") + "&min_score=0"


def address_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def dates(page: Page) -> list[str]:
    found: list[str] = page.locator(".hit time").evaluate_all("all => all.map(one => one.dateTime)")
    return found


def test_the_order_changes_in_place_and_goes_back(page: Page) -> None:
    page.goto(BULLETINS)
    page.evaluate("window.unchanged = true")
    expect(page.locator(".order [aria-current]")).to_have_text("相关度")
    page.get_by_role("link", name="最新").click()
    expect(page.locator(".order [aria-current]")).to_have_text("最新")
    assert address_of(page)["sort"] == ["-date"]
    newest = dates(page)
    assert newest == sorted(newest, reverse=True)
    page.get_by_role("link", name="最早").click()
    expect(page.locator(".order [aria-current]")).to_have_text("最早")
    assert dates(page) == sorted(dates(page))
    page.go_back()
    expect(page.locator(".order [aria-current]")).to_have_text("最新")
    assert dates(page) == newest
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^植树"))
    assert address_of(page)["sort"] == ["-date"]  # the next search keeps the order
    assert page.evaluate("window.unchanged")


def test_filters_narrow_are_shown_and_come_off_one_by_one(page: Page) -> None:
    page.goto("/?q=" + quote("市民 学校 植树 捷运") + "&min_score=0&limit=50")
    before = page.locator(".hit").count()
    page.get_by_text("筛选").click()
    tag = page.locator("#filters").get_by_role("link", name=re.compile("^环境"))
    counted = int((tag.locator("small").text_content() or "").replace(",", ""))
    tag.click()
    expect(page.locator(".hit")).to_have_count(counted)
    assert counted < before
    expect(page.locator("#filters")).to_have_attribute("open", "")  # who narrows goes on narrowing
    page.locator(".dates [name=from]").fill("2024-03")
    page.locator(".dates [name=to]").fill("2024")
    page.keyboard.press("Enter")
    expect(page.locator(".chips.active li")).to_have_text(["环境", "自 2024-03", "至 2024", "全部取消"])
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")
    expect(page.locator("#q")).to_have_value("市民 学校 植树 捷运")
    assert {name: address_of(page).get(name) for name in ("tag", "from", "to")} == {
        "tag": ["环境"], "from": ["2024-03"], "to": ["2024"]
    }  # fmt: skip
    page.get_by_role("link", name="取消筛选：自 2024-03").click()
    expect(page.locator(".chips.active li")).to_have_text(["环境", "至 2024", "全部取消"])
    page.get_by_role("link", name="全部取消").click()
    expect(page.locator(".chips.active")).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(page.locator(".chips.active li")).to_have_text(["环境", "自 2024-03", "至 2024", "全部取消"])


def test_one_passage_of_each_document_is_shown_where_that_is_asked(page: Page, sample_url: str) -> None:
    page.goto(f"{sample_url}/?q=" + quote("近视"))
    titles = page.locator(".hit h2")
    expect(titles.first).to_be_visible()
    every = titles.all_text_contents()
    assert len(set(every)) < len(every)
    page.get_by_text("筛选").click()
    page.get_by_role("link", name="每篇只取一段").click()
    expect(page.locator("#filters [aria-current]")).to_have_text("每篇只取一段")
    expect(titles).to_have_text(list(dict.fromkeys(every)))
    page.go_back()
    expect(titles).to_have_text(every)


def test_a_date_that_is_none_is_not_sent(page: Page) -> None:
    page.goto(BULLETINS)
    page.get_by_text("筛选").click()
    page.locator(".dates [name=from]").fill("去年")
    page.keyboard.press("Enter")
    assert page.locator(".dates [name=from]").evaluate("input => !input.validity.valid")
    assert "from" not in address_of(page)


def test_nothing_found_offers_to_drop_each_filter(page: Page) -> None:
    page.goto("/?q=" + quote("植树") + "&source=" + quote("公报") + "&from=2024&mode=lexical")
    help_ = page.locator(".help")
    help_.get_by_role("link", name="自 2024").click()
    expect(page).not_to_have_url(re.compile("from="))
    help_.get_by_role("link", name="公报").click()
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")


def test_similar_passages_have_a_place_of_their_own(page: Page, sample_url: str) -> None:
    page.goto(f"{sample_url}/?q=" + quote("社区食堂"))
    first = page.locator(".hit").first
    expect(first.locator("h2")).to_contain_text("石榴里社区食堂")
    text = first.locator(".text").text_content() or ""
    first.get_by_role("link", name="相似段落").click()
    expect(page).to_have_url(re.compile(r"/passages/[^/]+:\d+/similar\?q="))
    expect(page.locator("blockquote .text")).to_have_text(text)
    expect(page.locator("#q")).to_have_value("社区食堂")
    expect(page.locator(".hit").first).to_be_visible()
    assert text not in page.locator(".hit .text").all_text_contents()
    page.reload()
    expect(page.locator("blockquote .text")).to_have_text(text)
    page.go_back()
    expect(page.locator("#q")).to_have_value("社区食堂")
    expect(first.locator(".text")).to_have_text(text)


def test_context_and_the_score_are_told_on_demand(page: Page, sample_url: str) -> None:
    page.goto(f"{sample_url}/?q=" + quote("社区食堂"))
    first = page.locator(".hit").first
    expect(first.locator(".context")).to_be_hidden()
    first.get_by_text("上下文").click()
    expect(first.locator(".context")).to_be_visible()
    href = first.locator("h2 a").get_attribute("href") or ""
    whole = page.request.get(f"{sample_url}{href}").text()
    for neighbour in first.locator(".context p:not(.here)").all_text_contents():
        assert re.sub("^(上文|下文)", "", neighbour).splitlines()[0] in whole
    first.get_by_text("相关度").click()
    expect(first.locator(".scores")).to_contain_text("逐词比对")


def test_a_reprint_is_told_on_demand(page: Page) -> None:
    page.goto("/?q=" + quote("学校食堂每天公布菜谱"))
    first = page.locator(".hit").first
    expect(first.locator(".also")).to_be_hidden()
    first.get_by_text("另见于 1 处").click()
    reprint = re.compile(r"^/documents/paper-[34]\?q=[%\w]+&passage=0#p0$")
    expect(first.locator(".also a")).to_have_attribute("href", reprint)


@pytest.mark.parametrize("secure", [True, False])
def test_citations_and_the_link_are_copied(context: BrowserContext, live_url: str, secure: bool) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    if not secure:  # as in a page served without TLS under a name of its own
        page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('not here'))")
    page.goto("/?q=" + quote(QUESTION))
    first = page.locator(".hit").first
    first.get_by_text("引用", exact=True).click()
    wanted = {
        "GB/T 7714": re.compile(
            r"^李明\. 市区今冬少见蓝天\[N/OL\]\. 晚报, 2023-12-05\[\d{4}-\d\d-\d\d\]\. https://example\.org/paper/1$"
        ),
        "普通格式": re.compile("^李明：《市区今冬少见蓝天》，晚报，2023年12月5日，https://example.org/paper/1$"),
        "本段链接": re.compile(f"^{re.escape(live_url)}/documents/paper-1#p0$"),
    }
    for name, form in wanted.items():
        button = first.get_by_role("button", name=f"复制：{name}")
        button.click()
        expect(button).to_have_text("已复制")
        assert form.match(page.evaluate("navigator.clipboard.readText()"))
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(page.locator("p.passage:target")).to_contain_text("限制老旧柴油车")
    page.get_by_text("引用", exact=True).click()
    expect(page.get_by_role("button", name="复制：GB/T 7714")).to_be_visible()


def test_without_javascript_all_of_it_is_there(page: Page, live_url: str) -> None:
    opened = page.context.browser.new_context(base_url=live_url, java_script_enabled=False, locale="zh-CN")
    plain = opened.new_page()
    plain.goto("/?q=" + quote("学校食堂每天公布菜谱"))
    first = plain.locator(".hit").first
    first.get_by_text("引用", exact=True).click()
    expect(first.locator(".cite")).to_contain_text("小学生午餐有了新规定[N")
    expect(first.get_by_role("button")).to_have_count(0)  # nothing that does nothing
    plain.get_by_text("筛选").click()
    plain.locator(".dates [name=from]").fill("2024-09")
    plain.keyboard.press("Enter")
    expect(plain).to_have_url(re.compile("from=2024-09"))
    plain.get_by_role("link", name="最新").click()
    expect(plain).to_have_url(re.compile("sort=-date"))
    plain.locator(".hit").first.get_by_role("link", name="相似段落").click()
    expect(plain.locator("blockquote")).to_contain_text("午餐")
    opened.close()


@pytest.mark.parametrize(("status", "title"), [(503, "现在人有点多"), (500, "出了点问题")])
def test_a_service_in_trouble_says_so_in_place_and_can_be_tried_again(page: Page, status: int, title: str) -> None:
    page.goto("/")
    broken = page.request.get("/?q=x&limit=0").text()
    told = re.sub("<h1>[^<]*</h1>", f"<h1>{title}</h1>", broken)

    def fail(route: Route) -> None:
        route.fulfill(status=status, content_type="text/html", body=told)

    page.route(lambda url: "?q=" in url, fail)
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(title)
    page.unroute_all()
    page.locator("#q").press("Enter")
    expect(page.locator(".hit").first).to_be_visible()


def test_while_an_answer_is_slow_the_page_says_it_is_searching(page: Page) -> None:
    page.goto("/?q=" + quote("植树"))
    held = hold(page, "sort=")
    page.get_by_role("link", name="最新").click()
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#status")).to_have_text("正在查找……")
    held[0].continue_()
    expect(page.locator("#answer")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".order [aria-current]")).to_have_text("最新")


def test_what_documents_say_is_text_in_every_view(context: BrowserContext, own_corpus: Corpus) -> None:
    evil = "夜航<img src=x onerror=window.hacked=1>\"'><script>window.hacked=1</script>"
    record = dict.fromkeys(("title", "byline", "source"), evil)
    texts = [f"渡轮公司恢复夜间航班，末班船凌晨一点开出。{evil}", f"渡轮夜航的船票涨到三元，夜班工人不满。{evil}"]
    own_corpus.add(
        [
            record_source(
                {**record, "id": f"evil-{n}", "text": text, "tags": [evil], "url": "javascript:window.hacked=1"},
                source="",
            )
            for n, text in enumerate(texts)
        ]
    )
    strangers: list[Request] = []
    with serving(own_corpus) as address:
        page = context.new_page()
        page.on("request", lambda asked: strangers.append(asked) if not asked.url.startswith(address) else None)
        page.goto(f"{address}/?q={quote('渡轮夜航')}&tag={quote(evil)}&min_score=0")
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        expect(page.locator(".hit h2").first).to_have_text(evil)
        expect(page.locator(".chips.active a").first).to_have_text(evil)
        expect(page.locator(".cite").first).to_contain_text("onerror")
        page.get_by_role("link", name="相似段落").first.click()
        expect(page.locator("blockquote")).to_contain_text(evil)
        page.goto(f"{address}/documents/evil-0")
        expect(page.locator("h1")).to_have_text(evil)
        page.goto(address)
        expect(page.locator(".top img")).to_have_count(1)
        assert page.evaluate("window.hacked") is None
    assert strangers == []
