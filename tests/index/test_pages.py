"""Articles on a printed page: which text belongs under which headline, and what is no text at all."""

from __future__ import annotations

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source
from index.paragraphs import Layout, Lengths, cut

LENGTHS = Lengths(target=260, maximum=400)

BRIDGE = "老桥重新开放\n\n本报记者 李明\n\n经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过。"
HARBOUR = "渔港今起休渔\n\n本报讯（记者 王芳）今天中午十二点起，渔港的六百条渔船全部回港，休渔期三个半月。"
REST = "修桥的石料取自上游的采石场，每一块都编了号，拆下来再按原样砌回去。"


def titles(layout: Layout) -> list[tuple[str, str]]:
    return [(passage.title, passage.text) for passage in layout.passages]


def body(layout: Layout) -> str:
    return "\n".join(passage.text for passage in layout.passages)


@pytest.mark.parametrize(
    "byline",
    [
        *["本报记者 李明", "本报记者 李明 本报通讯员 王小芳", "江岸日报记者 李明 实习生 周小舟"],
        *["□ 李明", "文/李明", "作者：李明", "整理：李明", "李明 王小芳 编译", "（李小明整理）", "李明口述 王小芳整理"],
        *[
            "本报评论员",
            "记者周小舟、通讯员王芳",
            "江岸日报记者 李  明",
            "本报记者 卓玛 文/图",
            "本报记者 李明 石桥报道",
        ],
        *[
            "作者：李明，王小芳，周小舟，卞守拙，赵一山，钱二河，孙三桥，",
            "记者：李明",
            "By Jane Smith and John Doe",
            "Jane Smith, 12 March 2020",
        ],
    ],
)
def test_a_byline_is_the_document_s_and_not_in_the_text(byline: str) -> None:
    layout = cut(f"老桥重新开放\n\n{byline}\n\n{REST}\n", LENGTHS)
    assert layout.byline == byline
    assert titles(layout) == [("老桥重新开放", REST)]


@pytest.mark.parametrize(
    "line",
    [
        *["石桥镇古籍整理小组成立", "古籍整理", "资料由镇文化站整理", "代入上式并整理得", "年鉴编译"],
        *["记者证管理办法", "记者招待会", "记者之家", "评论员文章", "记者查明真相", "优秀记者李明报告会", "答记者问"],
        *["记者：你好", "■ 老桥重新开放", "□ 第一条 总则", "By Monday", "陈锡文", "The war ended on 8 May 1945"],
    ],
)
def test_a_headline_or_sentence_with_the_words_of_a_byline_is_none(line: str) -> None:
    layout = cut(f"{line}\n\n{REST}\n", LENGTHS)
    assert layout.byline == ""
    assert line in f"{layout.title}\n{body(layout)}"


@pytest.mark.parametrize(
    "text",
    [f"老桥重新开放\n江岸社石桥6月1日电（记者 李明、王芳）{REST}", f"老桥重新开放\n{REST}（记者 李明、王芳）"],
)
def test_the_reporters_in_brackets_are_the_byline(text: str) -> None:
    assert cut(text, LENGTHS).byline == "记者 李明、王芳"


def test_a_page_has_the_bylines_of_all_its_articles() -> None:
    assert cut(f"{BRIDGE}\n\n{HARBOUR}", LENGTHS).byline == "本报记者 李明；记者 王芳"


@pytest.mark.parametrize("text", ["本报记者 李明", "老桥重新开放", "老桥重新开放\n\n本报记者 李明"])
def test_where_nothing_stands_below_headline_and_byline_are_the_text(text: str) -> None:
    assert body(cut(text, LENGTHS)).split("\n") == text.split("\n\n")


def test_who_is_named_in_the_byline_is_found(archive: Corpus) -> None:
    archive.add([record_source({"id": "bridge", "text": BRIDGE.replace("李明", "卞守拙")}, source="")])
    (hit,) = archive.search(SearchRequest("卞守拙", mode="lexical", min_score=0.0)).hits
    assert hit.document.byline == "本报记者 卞守拙"


@pytest.mark.parametrize("mark", ["（上接第1版）", "(上接 A2 版)", "【上接第三版】", "（上接第1版）\n"])
def test_a_mark_of_continuation_is_no_text(mark: str) -> None:
    layout = cut(f"{BRIDGE}\n\n{HARBOUR}\n\n{mark}{REST}\n", LENGTHS)
    assert titles(layout)[-1] == ("", REST)


def test_the_only_piece_that_goes_on_belongs_to_the_only_article_that_goes_on_elsewhere() -> None:
    layout = cut(f"{BRIDGE}（下转第4版）\n\n{HARBOUR}\n\n（上接第1版）{REST}\n", LENGTHS)
    assert titles(layout)[-1] == ("老桥重新开放", REST)
    assert "版" not in body(layout)


def test_of_two_articles_that_go_on_elsewhere_neither_is_guessed() -> None:
    layout = cut(f"{BRIDGE}（下转第4版）\n\n{HARBOUR}（下转第4版）\n\n（上接第1版）{REST}\n", LENGTHS)
    assert titles(layout)[-1] == ("", REST)


@pytest.mark.parametrize(
    "mark", ["老桥重新开放\n\n（上接第1版）", "（上接第1版《老桥重新开放》）", "（上接第1版）\n\n老桥重新开放\n\n"]
)
def test_a_headline_beside_the_mark_is_that_of_the_piece(mark: str) -> None:
    layout = cut(f"{HARBOUR}\n\n{mark}{REST}\n", LENGTHS)
    assert titles(layout)[-1] == ("老桥重新开放", REST)


def test_a_repeat_under_a_headline_tells_whose_piece_it_is() -> None:
    layout = cut(f"{HARBOUR}\n\n（上接第1版）\n\n{REST}\n\n{BRIDGE}\n\n{REST}\n", LENGTHS)
    assert {text: title for title, text in titles(layout)}[REST] == "老桥重新开放"
    assert body(layout).count(REST) == 1


def test_sub_heads_stay_with_their_text_under_the_headline() -> None:
    layout = cut(f"{BRIDGE}\n\n石料从哪里来？\n\n{REST * 5}\n\n{HARBOUR}\n", LENGTHS)
    assert {title for title, _ in titles(layout)} == {"老桥重新开放", "渔港今起休渔"}
    assert any(f"石料从哪里来？\n{REST}" in text for _, text in titles(layout))


def test_a_caption_stands_apart() -> None:
    caption = "图为修缮后的老石桥，桥上行人往来。本报通讯员 周小舟 摄"
    layout = cut(f"{BRIDGE}\n\n{caption}\n\n{REST}\n\n{HARBOUR}\n", LENGTHS)
    assert ("老桥重新开放", caption) in titles(layout)


def test_a_sentence_goes_on_after_a_caption() -> None:
    caption = "图为修缮后的老石桥。周小舟 摄"
    first, last = REST[:12], REST[12:]
    layout = cut(f"{BRIDGE}{first}\n\n{caption}\n\n{last}\n", LENGTHS, seam=lambda _, right: right.startswith(last))
    assert first + last in body(layout)
    assert any(text == caption for _, text in titles(layout))


@pytest.mark.parametrize(
    "text",
    [
        "床前没有月光\n只有一盏旧灯\n灯下的人\n把信读了又读\n读到鸡叫\n",
        "购物清单\n白菜两斤\n豆腐一块\n酱油一瓶\n盐\n",
        "第一条　为了保护河流，制定本办法。\n第二条　河流两岸不得倾倒垃圾。\n第三条　本办法自公布之日起施行。\n",
        "“你去哪儿？”\n“去河边。”\n“河边有什么？”\n“什么也没有。”\n",
        "站名\t里程\t票价\n钟楼\t0\t三分\n石桥\t4\t三分\n码头\t8\t五分\n河口\t12\t七分\n",
        "The bridge was closed in March.\nIt opened again in May, with a new deck.\n",
    ],
    ids=["poem", "list", "law", "dialogue", "table", "English"],
)
def test_lines_that_are_meant_stay_as_they_are(text: str) -> None:
    assert body(cut(text, LENGTHS)) == text.strip()
