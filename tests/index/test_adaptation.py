"""Adapting the bundled model to an archive: what it learns, what changes, and that it can be undone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import ModelMismatchError, SettingError
from index.ingest import Source, record_source
from index.model_cards import COMPACT
from index.training.adapting import adapt_corpus, undo
from index.wordtable import WordTable

SUBJECTS = {
    "渔港": ("渔船天亮前出海", "码头上堆满了网具", "休渔期从五月算起", "冰厂连夜给船上送冰"),
    "茶园": ("采茶工清明前上山", "新茶要当天炒完", "山上的茶树种了三十年", "收茶的人等在路口"),
    "电车": ("电车早上五点半发车", "售票员报站不用话筒", "石榴坡上坡要撒沙子", "车库里停着二十二辆车"),
    "学堂": ("先生冬天自带炭火", "学生每人带一条板凳", "教室的窗纸年年换", "放学的钟挂在槐树上"),
    "医馆": ("郎中每天只看四十个号", "药柜有三百多个抽屉", "煎药的炉子整日不灭", "出诊的箱子放在门边"),
}
NAMES = ("北桥", "南塘", "柳浦", "石湾", "云汀", "白沙", "枫林", "双河", "青山", "东岸")


def article(number: int, rng: random.Random) -> Source:
    """A short piece about one of a few subjects, whose facts always come together."""
    subject, facts = list(SUBJECTS.items())[number % len(SUBJECTS)]
    place = rng.choice(NAMES)
    paragraphs = []
    for _ in range(3):
        told = [f"{place}的老人说，{fact}，第{rng.randrange(2, 90)}年也是这样。" for fact in rng.sample(facts, 3)]
        paragraphs.append("".join(told * 2))
    record = {"id": f"a{number}", "title": f"{place}{subject}记", "text": "\n".join(paragraphs)}
    return record_source(record, source="志")


@pytest.fixture(scope="module")
def chronicle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    rng = random.Random(7)
    corpus = Corpus.open(tmp_path_factory.mktemp("chronicle") / "data", create=True)
    corpus.add(article(number, rng) for number in range(240))
    yield corpus
    corpus.close()


def cosine(table: WordTable, left: str, right: str) -> float:
    one, other = table.pooled([left, right])
    return float(one @ other)


def test_an_archive_adapts_and_goes_back(chronicle: Corpus) -> None:
    before = chronicle.search(SearchRequest("石榴坡"))
    report = adapt_corpus(chronicle)

    assert report.items == 12  # a twentieth of the documents was held back
    assert report.after[0].ndcg > report.before[0].ndcg
    assert chronicle.model.startswith("adapted-")
    assert chronicle.verify() == []
    # Words that come together in this archive have moved together, others have stayed.
    bundled, own = WordTable.load(COMPACT), chronicle.table
    assert cosine(own, "售票员", "电车") > cosine(bundled, "售票员", "电车") + 0.05
    assert cosine(own, "火山", "岩浆") == pytest.approx(cosine(bundled, "火山", "岩浆"), abs=0.01)

    answer = chronicle.search(SearchRequest("石榴坡"))
    assert answer.model == chronicle.model
    assert {hit.text for hit in answer.hits} & {hit.text for hit in before.hits}

    other = Corpus.open(chronicle.data)  # another process, and one that names the bundled model
    assert other.search(SearchRequest("石榴坡")).hits[0].text == answer.hits[0].text
    assert Corpus.open(chronicle.data, model="compact").model == chronicle.model
    with pytest.raises(ModelMismatchError, match=r"made with the model adapted-"):
        Corpus.open(chronicle.data, model="BAAI/bge-m3")

    undo(chronicle)
    assert chronicle.model == "compact"
    assert not list(chronicle.data.glob("adapt*"))
    assert [hit.text for hit in chronicle.search(SearchRequest("石榴坡")).hits] == [hit.text for hit in before.hits]
    # The process that was open all the while follows.
    assert other.search(SearchRequest("石榴坡")).model == "compact"
    other.close()


def test_adapting_twice_gives_the_same_model(chronicle: Corpus) -> None:
    adapt_corpus(chronicle)
    first, vectors = chronicle.model, chronicle.encoder().queries(["电车五点半发车"])
    adapt_corpus(chronicle)
    assert chronicle.model == first
    np.testing.assert_array_equal(chronicle.encoder().queries(["电车五点半发车"]), vectors)
    undo(chronicle)


def test_too_little_text_is_refused_with_a_reason(archive: Corpus) -> None:
    archive.add([record_source({"id": "one", "text": "只有一句话。" * 3}, source="s")])
    with pytest.raises(SettingError, match="too little text to adapt to"):
        adapt_corpus(archive)
    assert archive.model == "compact"


def test_the_command_tells_what_it_gained(chronicle: Corpus, command, tmp_path: Path) -> None:
    answer = command("train_model", "--adapt", chronicle.data)
    assert answer.returncode == 0, answer.stderr
    assert "sentences held back:" in answer.stdout
    assert f"python -m scripts.train_model --adapt {chronicle.data} --undo" in answer.stdout
    assert command("train_model", "--adapt", chronicle.data, "--undo", LANG="zh_CN.UTF-8").stdout.startswith("已恢复")
    missing = command("train_model", "--adapt", tmp_path / "none")
    assert missing.returncode == 2
    assert "There is no index" in missing.stderr


def test_an_archive_in_milvus_adapts_and_goes_back(tmp_path: Path, command) -> None:
    rng, engine = random.Random(7), f"milvus:{tmp_path / 'archive.db'}"
    with closing(Corpus.open(tmp_path / "data", engine=engine, create=True)) as corpus:
        corpus.add(article(number, rng) for number in range(240))

    def model_of(query: str) -> str:
        with closing(Corpus.open(tmp_path / "data", engine=engine)) as corpus:
            answer = corpus.search(SearchRequest(query))
            assert "电车" in answer.hits[0].text
            assert not answer.degraded
            return answer.model

    adapted = command("train_model", "--adapt", tmp_path / "data", "--engine", engine)
    assert adapted.returncode == 0, adapted.stderr
    own = model_of("石榴坡的售票员")
    assert f"copy {tmp_path / 'data' / own} into the data directories of the others" in adapted.stdout
    undo_it = f"--adapt {tmp_path / 'data'} --engine {engine} --undo"
    assert undo_it in adapted.stdout
    assert command("train_model", *undo_it.split()).returncode == 0
    assert model_of("石榴坡的售票员") == "compact"
