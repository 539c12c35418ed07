"""The pages as the server renders them: complete without JavaScript, safe, in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.document import Segment
from index.ingest import record_source
from service.fields import is_safe_link
from service.rendering import date_text, opening, runs, safe_link, time_text
from service.texts import TEXTS

SERVICE = Path(__file__).parents[2] / "service"
PAGES = [
    "/",
    "/?lang=en",
    "/?q=怎样减少汽车尾气",
    "/?q=水库水位&offset=5&limit=5&lang=en",
    '/?q="量子引力波探测卫星"',
    "/?q=新规定&source=日报&min_score=0",
    "/?q=x&limit=0",
    "/nowhere",
    "/?q=水库水位&sort=-date&from=2021-03&to=2021-09&byline=李",
    "/documents/paper-1",
    "/documents/paper-1?q=怎样减少汽车尾气&passage=0",
    "/passages/paper-3:0/similar",
    "/admin",
    "/docs",
    "/demo",
]


class Elements(HTMLParser):
    """The elements of a page, and the mistakes of its markup."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "circle", "path"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute: {names}"
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open, f"</{tag}> closes nothing"
            assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.found if name == tag)


def browse(client: FlaskClient, path: str) -> str:
    return client.get(path, headers={"Accept": "text/html"}).text


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_well_formed_and_asks_nobody_else(client: FlaskClient, path: str) -> None:
    html = browse(client, path)
    elements = Elements(html)
    identifiers = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("src", "srcset", "action"):
            assert attributes.get(name, "/").startswith("/")
        if tag == "link" and attributes["rel"] != "canonical":  # which is not loaded
            assert attributes["href"].startswith("/static/")
        if tag == "script":
            assert attributes["src"].startswith("/static/")
    for attributes in elements.all("img"):
        assert {"alt", "width", "height"} <= set(attributes)
    shown = Elements(re.sub("<template.*?</template>", "", html, flags=re.DOTALL))
    assert len(list(shown.all("h1"))) == (0 if path in ("/", "/?lang=en") else 1)
    assert next(elements.all("html"))["lang"] in ("zh-Hans", "en")


def test_hits_are_shown_with_all_that_is_known(client: FlaskClient) -> None:
    html = browse(client, "/?q=怎样减少汽车尾气")
    for known in ("市区今冬少见蓝天", "晚报", "本报记者 李明", "2023年12月5日", "第 1 段", "相关度"):
        assert known in text_of(html)
    assert re.search(r'<mark class="sentence">[^。]*?', html)
    marked = text_of(re.search(r'<mark class="sentence">.*?。</mark>', html, re.DOTALL)[0])  # type: ignore[index]
    assert "限制老旧柴油车" in marked
    assert 'href="https://example.org/paper/1"' in html
    asked = f"q={quote('怎样减少汽车尾气')}"
    assert f'href="/documents/paper-1?{asked}&amp;passage=0#p0"' in html
    assert f'href="/passages/paper-1:0/similar?{asked}"' in html
    assert "<title>怎样减少汽车尾气 · 寻章 Xunzhang</title>" in html


def test_what_a_document_says_is_never_markup(client: FlaskClient, own_corpus: Corpus, own_client: FlaskClient) -> None:
    html = browse(client, "/?q=臺北捷運跨年")
    assert "<b>" not in html
    assert "&lt;b&gt;請勿&lt;/b&gt;" in html.replace('<mark class="word">', "").replace("</mark>", "")
    evil = '"><script>alert(1)</script>'
    record = dict.fromkeys(("title", "byline", "source"), evil)
    own_corpus.add([record_source({**record, "id": "evil", "text": f"渡轮夜航。{evil}", "tags": [evil]}, source="")])
    searches = ("/?q=渡轮夜航", f"/?q={evil}", f"/?q=渡轮&source={evil}", f"/?q=x&limit={evil}")
    for path in (*searches, "/documents/evil", f"/documents/evil?q=渡轮{evil}&passage=0", "/"):
        html = browse(own_client, path)
        Elements(html)
        assert "<script>" not in html


def test_only_safe_addresses_become_links(client: FlaskClient) -> None:
    for safe in ("https://a.example/x?y=1#z", "http://a", "/x/y", "x.html", "../x", "?q=1", "#top", "报纸/1.html"):
        assert is_safe_link(safe), safe
    for unsafe in (
        "javascript:alert(1)", "JavaScript:x", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//a.example",
        "\\\\a", "/\\a.example", "java\nscript:x", " https://a", "https:", "http://[", "mailto:a@b", "\x01javascript:x",
    ):  # fmt: skip
        assert not is_safe_link(unsafe), unsafe
        assert safe_link(unsafe) == ""


def test_pages_are_turned_and_keep_the_search(client: FlaskClient) -> None:
    html = browse(client, "/?q=水库水位公报&limit=5&min_score=0&mode=lexical")
    following = re.search(r'rel="next" href="([^"]+)"', html)
    assert following
    address = following[1].replace("&amp;", "&")
    assert "offset=5" in address
    second = browse(client, address)
    assert "第 2 页" in second
    assert re.search(r'rel="prev"', second)
    assert 'name="limit" value="5"' in second
    assert re.search(r'value="lexical" checked', second)
    assert set(re.findall(r'href="/documents/([\w-]+)', html)).isdisjoint(
        re.findall(r'href="/documents/([\w-]+)', second)
    )


def test_filters_are_offered_shown_and_can_be_taken_off(client: FlaskClient) -> None:
    html = browse(client, "/?q=新规定 植树 捷运&min_score=0")
    offered = re.search(r'href="(/\?[^"]*source=%E6%97%A5%E6%8A%A5[^"]*)"', html)
    assert offered
    narrowed = browse(client, offered[1].replace("&amp;", "&"))
    assert "取消筛选：日报" in narrowed
    assert 'type="hidden" name="source" value="日报"' in narrowed


def test_nothing_found_comes_with_help(client: FlaskClient) -> None:
    html = browse(client, '/?q="量子引力波探测卫星"&source=日报&from=2020&mode=lexical')
    assert "没有找到能回答" in html
    for help_ in ("help_rephrase", "help_quotes", "help_filters", "help_hybrid"):
        assert TEXTS["zh"][help_] in html
    assert f"q={quote('量子引力波探测卫星')}&amp;mode=lexical" in html
    for name, without in (("日报", "&amp;mode=lexical&amp;from=2020"), ("自 2020", f"&amp;source={quote('日报')}")):
        offer = re.search(rf'href="([^"]*)">{TEXTS["zh"]["help_filter"].format(name=name)}', html)
        assert offer, name
        assert offer[1].endswith(without)


@pytest.mark.parametrize("path", ["/?q=x&limit=0", "/?q=" + "长" * 2001, "/nowhere", "/documents/nobody"])
def test_an_error_is_a_friendly_page_with_the_box_still_there(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code in (400, 404)
    assert answer.mimetype == "text/html"
    assert 'role="alert"' in answer.text
    assert 'name="q"' in answer.text
    assert client.get(path, headers={"Accept": "application/json"}).mimetype == "application/problem+json"


def test_the_start_page_offers_titles_to_try(client: FlaskClient) -> None:
    html = browse(client, "/")
    assert "已收录 17 篇文献" in html
    assert "水库水位公报第1期" in html
    assert html.count("data-search") - html.count("button") <= 4 + 1


def test_quotes_in_a_title_to_try_make_no_condition(own_corpus: Corpus, own_client: FlaskClient) -> None:
    own_corpus.add([record_source({"id": "a", "title": "师傅“进课堂”之后", "text": "焊工来校授课。"}, source="")])
    html = browse(own_client, "/")
    assert "师傅“进课堂”之后" in html
    assert f'href="/?q={quote("师傅")}+{quote("进课堂")}+{quote("之后")}"' in html


def test_a_document_is_shown_whole_with_anchors(client: FlaskClient) -> None:
    html = browse(client, "/documents/paper-1")
    assert "<h1" in html
    assert 'id="p0"' in html
    assert "热线举报" in html


def test_one_passage_is_counted_in_the_singular(own_corpus: Corpus, own_client: FlaskClient) -> None:
    own_corpus.add([record_source({"id": "a", "title": "夜航", "text": "渡轮恢复夜航。"}, source="")])
    assert "<span>1 passage</span>" in browse(own_client, "/documents/a?lang=en")
    assert "<span>共 1 段</span>" in browse(own_client, "/documents/a?lang=zh")


def test_what_has_no_headline_is_named_by_its_first_words(own_corpus: Corpus, own_client: FlaskClient) -> None:
    text = "渡轮公司八月一日宣布，恢复停了三年的夜间航班，末班船推迟到凌晨一点。票价不变。"
    own_corpus.add([record_source({"id": f"f{n}", "text": f"{text}{n}"}, source="") for n in range(2)])
    name = "渡轮公司八月一日宣布，恢复停了三年的夜间航班……"
    for path in ("/?q=夜间航班", "/documents/f0", "/passages/f0:0/similar"):
        html = text_of(browse(own_client, path))
        assert name in html
        assert f"{name}[Z]." in html
    assert opening("夜航\n\n渡轮") == "夜航 渡轮"
    assert opening("夜" * 40) == "夜" * 32 + "……"
    assert opening("原标题：渡轮恢复夜航 本报讯") == "渡轮恢复夜航 本报讯"


def test_a_document_opened_from_a_search_marks_what_answers_and_keeps_the_query(client: FlaskClient) -> None:
    hits = browse(client, "/?q=怎样减少汽车尾气")
    html = browse(client, "/documents/paper-1?q=怎样减少汽车尾气&passage=0")
    marked = re.compile(r'<mark class="sentence">.*?。</mark>', re.DOTALL)
    assert marked.findall(html) == marked.findall(hits)[:1]
    assert 'value="怎样减少汽车尾气"' in html
    assert '<link rel="canonical" href="/documents/paper-1">' in html
    assert 'value="怎样减少汽车尾气"' in browse(client, "/passages/paper-1:0/similar?q=怎样减少汽车尾气")
    for unmarked in ("?q=尾气", "?q=%20&passage=0", "?q=尾气&passage=99", "?passage=0"):
        assert "<mark" not in browse(client, f"/documents/paper-1{unmarked}")
    for refused in ("q=" + "长" * 2001, "q=尾气&passage=first", "q=%00&passage=0"):
        assert client.get(f"/documents/paper-1?{refused}", headers={"Accept": "text/html"}).status_code == 400


@pytest.mark.parametrize("path", PAGES)
def test_english_pages_have_no_chinese_of_ours(client: FlaskClient, path: str) -> None:
    separator = "&" if "?" in path else "?"
    html = browse(client, f"{path}{separator}lang=en")
    assert '<html lang="en">' in html
    for key, text in TEXTS["zh"].items():
        if text not in (TEXTS["en"][key], "English", "再试一次") and "{" not in text and len(text) > 3:
            assert text not in html, key


def test_the_texts_are_complete_and_all_of_them_are_used() -> None:
    assert set(TEXTS["zh"]) == set(TEXTS["en"])
    for key, english in TEXTS["en"].items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", TEXTS["zh"][key])), key
    templates = "".join(path.read_text("utf-8") for path in (SERVICE / "templates").glob("*.html"))
    used = set(re.findall(r"\bt\.(\w+)", templates))
    made = {key for key in TEXTS["en"] for stem in re.findall(r't\["(\w+_)" ~', templates) if key.startswith(stem)}
    named = set(re.findall(r'"(score_\w+)"', templates))
    assert used | made | named == set(TEXTS["en"])


def test_javascript_never_writes_markup_and_has_no_texts() -> None:
    for path in (SERVICE / "static").glob("*.js"):
        script = path.read_text("utf-8")
        for danger in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http://",
            "https://",
        ):
            assert danger not in script, (path.name, danger)
        assert not re.search(r"[一-鿿]", script), path.name


# Colours


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_of_wcag_aa(scheme: str) -> None:
    light, dark = re.findall(r":root {(.*?)}", (SERVICE / "static" / "page.css").read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
    pairs = [
        (ink, ground)
        for ground in ("paper", "raised", "target")
        for ink in ("ink", "soft", "accent", "link", "word")
    ] + [("ink", "sentence"), ("word", "sentence"), ("on-accent", "accent")]  # fmt: skip
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["field"], colours["raised"]) >= 3


# Rendering


def test_stretches_follow_the_answering_sentence() -> None:
    segments = [
        Segment("前文。"),
        Segment("尾气", "word", in_sentence=True),
        Segment("由", "sentence", in_sentence=True),
        Segment("柴油车", "word", in_sentence=True),
        Segment("排放。", "sentence", in_sentence=True),
        Segment("尾气", "word"),
        Segment("另行处理。"),
    ]
    assert [(inside, "".join(s.text for s in run)) for inside, run in runs(segments)] == [
        (False, "前文。"),
        (True, "尾气由柴油车排放。"),
        (False, "尾气另行处理。"),
    ]
    assert runs([]) == []


def test_dates_and_times_are_written_as_people_write_them() -> None:
    assert date_text("2024-05-01", "zh") == "2024年5月1日"
    assert date_text("2024-05-01T08:30", "en") == "1 May 2024"
    assert date_text("2024", "zh") == "2024"
    assert date_text("民国二十年", "zh") == "民国二十年"
    assert time_text(0.01, "zh") == "0.1 毫秒"
    assert time_text(1234, "en") == "1.2 s"
