"""Which sentence of a passage is marked as the answer."""

from __future__ import annotations

import json
import lzma
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from index.answering import answering_sentences, kinds_asked_for
from index.chinese import parse_query, sentences
from index.corpus import Corpus
from index.document import Document, Segment
from index.highlight import highlight
from index.ingest import Source
from index.interaction import query_words
from index.model_cards import COMPACT
from index.readers import Page
from index.wordtable import WordTable

TABLE = WordTable.load(COMPACT)
FLOOR = 0.77  # of the first 500 questions 79.3 % were right, and 73.7 % before what a question asks for was looked at
ASKED = Path(__file__).parents[3] / "shared/data/train/cmrc2018-train.jsonl.xz"


def sentence_of(segments: tuple[Segment, ...]) -> str:
    return "".join(segment.text for segment in segments if segment.in_sentence)


def answer(question: str, text: str) -> str:
    query = parse_query(question)
    words = query_words(TABLE, query.text, lambda asked: [3.0] * len(asked), query.sought)
    marked = highlight(TABLE, words, query.sought, [text], TABLE.ids([text]), question=query.folded)
    return sentence_of(marked[0])


@pytest.mark.parametrize(
    ("question", "text", "sentence"),
    [
        (
            "石榴里水库的面积有多大",
            "石榴里水库在岚州以北，是全市最老的水库。面积四十平方公里，养着草鱼。石榴里水库的管理处设在坝下。",
            "面积四十平方公里，养着草鱼。",
        ),
        (
            "码头大桥什么时候通车",
            "码头大桥是岚州的第二座大桥，桥塔漆成了红色。1984年10月通车。码头大桥的通车仪式十分热闹。",
            "1984年10月通车。",
        ),
        (
            "how many beds does the hospital have",
            "The hospital was founded by a doctor. It has 320 beds. The hospital is proud of its beds and its garden.",
            "It has 320 beds.",
        ),
    ],
)
def test_the_sentence_with_what_is_asked_for_wins_over_those_that_name_the_subject(
    question: str, text: str, sentence: str
) -> None:
    assert answer(question, text) == sentence


def test_a_credit_is_not_the_answer_for_being_short() -> None:
    assert answer("古桥修好了吗", "图为修好的古桥。石岩 摄").strip() == "图为修好的古桥。"


def test_a_passage_that_says_nothing_of_it_has_no_answer() -> None:
    weights, says = np.ones(1, np.float32), np.zeros((1, 2), np.float32)
    assert answering_sentences((), weights, says, [0, 0], ["今天天气很好。", "我们去爬山。"], [2]) == [None]
    best = answering_sentences((), weights, says, [0, 3], ["今天天气很好。", "我们去爬山。"], [0, 1, 0, 1])
    assert best == [None, None, None, 1]


@pytest.mark.parametrize(
    ("question", "kinds"), [("一共几个人", 1), ("哪一年搬到哪里的", 2), ("where and when", 2), ("谁修的桥", 0)]
)
def test_a_question_tells_what_kind_of_answer_it_asks_for(question: str, kinds: int) -> None:
    assert len(kinds_asked_for(question)) == kinds


@pytest.mark.shared
@pytest.mark.skipif(not ASKED.is_file(), reason="../shared/data is not beside this checkout")
def test_the_right_sentence_is_marked_where_it_is_known_which_that_is(tmp_path: Path) -> None:
    with lzma.open(ASKED, "rt", encoding="utf-8") as lines:
        questions = [json.loads(line) for line in islice(lines, 500)]
    ids = {text: f"p{number}" for number, text in enumerate(dict.fromkeys(asked["passage"] for asked in questions))}
    right = of = 0
    with closing(Corpus.open(tmp_path, create=True)) as corpus:
        corpus.add(Source(Document(id), (Page(text),)) for text, id in ids.items())
        for asked in questions:
            for passage in corpus.document(ids[asked["passage"]]).passages:
                place = asked["answer_start"] - asked["passage"].find(passage.text)
                spans = sentences(passage.text)
                if not 0 <= place < len(passage.text) or passage.text not in asked["passage"] or len(spans) < 2:
                    continue
                wanted = next(passage.text[start:end] for start, end in spans if start <= place < end)
                of += 1
                right += sentence_of(corpus.marks(passage.passage_id, asked["question"])) == wanted.strip()
    assert of > 450
    assert right / of >= FLOOR, f"{right} of {of}"
