"""Adding, changing and removing documents; what readers and other processes see of it; and that it all stays true."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from index.corpus import Corpus
from index.document import MODES, SearchRequest
from index.engine import Filter
from index.engine.local import LocalEngine
from index.errors import BusyError, DataError, NoIndexError, NotFoundError
from index.ingest import record_source, sources_of
from tests.conftest import engine_at

BRIDGE = "经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过，老人们在桥头下棋。"
HARBOUR = "今天中午十二点起，渔港的六百条渔船全部回港。休渔期三个半月，渔民在岸上补网修船。"
SCHOOL = "新学期开始，学校食堂每天公布菜谱。家长代表可以随时进入后厨察看，孩子们剩饭少了一半。"


def found(corpus: Corpus, query: str, **settings: object) -> set[str]:
    """Ids of the documents that a query finds, in every mode."""
    request = {"limit": 100, "min_score": 0.0, **settings}
    modes = [{hit.document.id for hit in corpus.search(SearchRequest(query, mode, **request)).hits} for mode in MODES]  # type: ignore[arg-type]
    return set.intersection(*modes)


def vectors(data: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Passage numbers and their vectors, read from the SQLite file with nothing of ours in between."""
    connection = sqlite3.connect(data / "xunzhang.sqlite3")
    try:
        query = "SELECT number, vector FROM passages JOIN vectors USING (key) ORDER BY number"
        rows = connection.execute(query).fetchall()
    finally:
        connection.close()
    matrix = np.stack([np.frombuffer(vector, "<f2").astype(np.float32) for _, vector in rows])
    return np.array([number for number, _ in rows]), matrix


def assert_exact(corpus: Corpus, engine: LocalEngine, query: str, only: Filter, allowed: set[int] | None) -> None:
    """Dense search gives what comparing with every stored vector gives."""
    view = engine.view()
    assert view is not None
    vector = corpus.encoder().queries([query])[0]
    numbers, matrix = vectors(corpus.data)
    keep = np.array([allowed is None or int(number) in allowed for number in numbers])
    truth = np.sort(matrix[keep] @ vector)[::-1][:20]
    answer = view.dense(vector, 20, only)
    np.testing.assert_allclose(answer.scores, truth, atol=1e-5)
    by_number = dict(zip(numbers.tolist(), matrix @ vector, strict=True))
    np.testing.assert_allclose(answer.scores, [by_number[number] for number in answer.numbers.tolist()], atol=1e-5)


# Adding, replacing, removing


def test_what_was_added_is_found_in_every_mode(archive: Corpus, put) -> None:
    summary = put(bridge=BRIDGE, harbour=HARBOUR)
    assert (summary.added, summary.replaced, summary.unchanged, summary.encoded) == (2, 0, 0, 2)
    assert summary.seen == {"bridge", "harbour"}
    assert "bridge" in found(archive, "老石桥开放")
    assert archive.verify() == []


def test_adding_the_same_again_changes_nothing(archive: Corpus, put) -> None:
    put(bridge=BRIDGE, harbour=HARBOUR)
    generation = archive.status().generation
    summary = put(bridge=BRIDGE, harbour=HARBOUR)
    assert (summary.added, summary.replaced, summary.unchanged, summary.encoded) == (0, 0, 2, 0)
    assert archive.status().generation == generation


def test_a_changed_document_replaces_the_old_and_embeds_only_what_is_new(archive: Corpus, put) -> None:
    long = "".join(f"第{number}个村子离县城有{number * 7}里路，要翻过两座山。" for number in range(10, 40))
    before = put(a=long, b=HARBOUR)
    after = put(a=long + "\n\n" + BRIDGE * 5, b=HARBOUR)
    assert (after.added, after.replaced, after.unchanged) == (0, 1, 1)
    assert 0 < after.encoded < after.passages
    assert after.passages > before.passages - 1
    put(a=SCHOOL)
    assert "a" not in found(archive, '"要翻过两座山"')
    assert "a" in found(archive, "学校食堂的菜谱")
    assert archive.verify() == []


def test_new_facts_about_an_old_text_embed_nothing(archive: Corpus, put) -> None:
    put({"id": "a", "title": "旧桥", "text": BRIDGE, "date": "2021-01-01"})
    summary = put({"id": "a", "title": "旧桥", "text": BRIDGE, "date": "2022-02-02"})
    assert (summary.replaced, summary.encoded) == (1, 0)
    assert archive.document("a").document.date == "2022-02-02"
    assert found(archive, "老石桥", date_from="2022") == {"a"}


def test_what_was_removed_is_found_in_no_mode(archive: Corpus, put) -> None:
    put(bridge=BRIDGE, harbour=HARBOUR, school=SCHOOL)
    assert archive.remove(["bridge", "nobody"]) == 1
    for mode in MODES:
        answer = archive.search(SearchRequest("老石桥重新开放", mode, min_score=0.0))
        assert "bridge" not in {hit.document.id for hit in answer.hits}
    assert archive.status().documents == archive.status().passages == 2
    assert archive.verify() == []
    with pytest.raises(NotFoundError):
        archive.document("bridge")
    with pytest.raises(NotFoundError):
        archive.passage("bridge:0")


@pytest.mark.local
def test_what_was_removed_leaves_no_trace_in_the_word_index(archive: Corpus, put) -> None:
    put(**{f"d{number}": f"第{number}条：{HARBOUR}" for number in range(12)}, bridge=BRIDGE)
    archive.remove(["bridge", "d3"])
    engine = LocalEngine(archive.data, create=False)
    view = engine.view()
    assert view is not None
    assert view.passages == archive.status().passages == 11
    assert len(view.lexical({"石桥": 1.0, "渔船": 1.0}, (), 100, Filter()).numbers) == 11
    engine.close()


def test_removing_nobody_changes_nothing(archive: Corpus, put) -> None:
    put(bridge=BRIDGE)
    generation = archive.status().generation
    assert archive.remove(["nobody"]) == 0
    assert archive.status().generation == generation


def test_everything_can_be_removed_and_the_archive_goes_on(archive: Corpus, put) -> None:
    put(bridge=BRIDGE)
    archive.remove(["bridge"])
    assert archive.search(SearchRequest("老石桥")).hits == ()
    assert archive.verify() == []
    put(harbour=HARBOUR)
    assert found(archive, "渔船") == {"harbour"}


def test_a_repeat_is_one_hit_that_names_the_other_place(archive: Corpus, put) -> None:
    put({"id": "a", "title": "老桥", "text": BRIDGE}, {"id": "b", "title": "老桥", "text": BRIDGE})
    (hit,) = archive.search(SearchRequest("老石桥开放")).hits
    assert hit.document.id == "a"
    assert [place.document_id for place in hit.also_in] == ["b"]


def test_files_that_are_gone_are_pruned_and_records_stay(archive: Corpus, put, tmp_path: Path) -> None:
    put(record=SCHOOL)
    for name, text in (("a.txt", BRIDGE), ("b.txt", HARBOUR)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    archive.add(sources_of([tmp_path]))
    (tmp_path / "a.txt").unlink()
    kept = archive.add(sources_of([tmp_path])).seen
    assert archive.prune([tmp_path], kept) == 1
    assert archive.status().documents == 2
    assert "record" in {document.id for document in archive.documents().documents}


def test_documents_are_listed_filtered_and_paged(archive: Corpus, put) -> None:
    put(
        {"id": "a", "title": "老桥开放", "source": "晚报", "date": "2021-05-06", "text": BRIDGE},
        {"id": "b", "title": "休渔", "source": "日报", "date": "2022-01-01", "text": HARBOUR},
        {"id": "c", "title": "食堂", "source": "晚报", "text": SCHOOL},
    )

    def ids(**settings: object) -> list[str]:
        return [document.id for document in archive.documents(**settings).documents]  # type: ignore[arg-type]

    assert ids() == ["a", "b", "c"]
    assert ids(limit=2) == ["a", "b"]
    assert ids(limit=2, offset=2) == ["c"]
    assert archive.documents(limit=1).total == 3
    assert ids(source="晚报") == ["a", "c"]
    assert ids(query="老桥") == ["a"]
    assert ids(date_from="2021-06") == ["b"]
    assert ids(date_to="2021") == ["a"]


def test_a_passage_knows_its_neighbours(archive: Corpus, put) -> None:
    text = "\n\n".join(f"第{number}段。" + BRIDGE * 4 for number in range(1, 4))
    put(a=text)
    first, second, third = archive.document("a").passages
    assert (first.before, first.after) == ("", second.text)
    assert (second.before, second.after) == (first.text, third.text)
    assert archive.passage("a:1") == second
    for passage_id in ("a:9", "a", "a:-1", "a:x", ":0", "a:99999999999999999999"):
        with pytest.raises(NotFoundError):
            archive.passage(passage_id)


# Filters


FILTERED = [
    {"id": "a", "source": "晚报", "tags": ["桥", "城南"], "date": "2021-05-06", "text": f"{BRIDGE}门票1元。"},
    {"id": "b", "source": "日报", "tags": ["桥"], "date": "2021-05-07T09:30", "text": f"{BRIDGE}门票2元。"},
    {"id": "c", "source": "日报", "tags": [], "date": "2022-12-31", "text": f"{BRIDGE}门票3元。"},
    {"id": "d", "source": "公报", "tags": ["城南"], "date": "2022", "text": f"{BRIDGE}门票4元。"},
    {"id": "e", "source": "公报", "tags": ["a b"], "date": "", "text": f"{BRIDGE}门票5元。"},
]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory, engine_name: str) -> Iterator[Corpus]:
    data = tmp_path_factory.mktemp("filtered") / "data"
    corpus = Corpus.open(data, create=True, engine=engine_at(engine_name, data))
    corpus.add([record_source(record, source="") for record in FILTERED])
    yield corpus
    corpus.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "abcde"),
        ({"sources": ("日报",)}, "bc"),
        ({"sources": ("日报", "公报")}, "bcde"),
        ({"sources": ("报",)}, ""),
        ({"tags": ("桥",)}, "ab"),
        ({"tags": ("桥", "城南")}, "abd"),
        ({"tags": ("a b",)}, "e"),
        ({"tags": ("a",)}, ""),
        ({"date_from": "2021-05-07"}, "bcd"),
        ({"date_to": "2021-05-07"}, "ab"),
        ({"date_from": "2021-05-07", "date_to": "2021-05-07"}, "b"),
        ({"date_from": "2021-05", "date_to": "2021-05"}, "ab"),
        ({"date_from": "2022", "date_to": "2022"}, "cd"),
        ({"date_to": "2021"}, "ab"),
        ({"date_from": "2022-12-31"}, "c"),
        ({"date_from": "2023"}, ""),
        ({"sources": ("日报",), "tags": ("桥",), "date_from": "2021"}, "b"),
    ],
)
def test_a_filter_is_exact_in_every_mode(filtered: Corpus, settings: dict[str, object], expected: str) -> None:
    for mode in MODES:
        request = SearchRequest("老石桥重新开放", mode, min_score=0.0, **settings)  # type: ignore[arg-type]
        assert "".join(sorted(hit.document.id for hit in filtered.search(request).hits)) == expected, mode


# Brute force


@pytest.fixture(scope="module")
def engine(sample: Corpus) -> Iterator[LocalEngine]:
    opened = LocalEngine(sample.data, create=False)
    yield opened
    opened.close()


QUERIES = ("社区食堂的老人", "公交车的电池", "how do people get home at night", "！？")


@pytest.mark.local
@pytest.mark.parametrize("query", QUERIES)
def test_dense_search_equals_brute_force(sample: Corpus, engine: LocalEngine, query: str) -> None:
    assert_exact(sample, engine, query, Filter(), None)


@pytest.mark.local
@pytest.mark.parametrize("query", QUERIES[:2])
def test_dense_search_equals_brute_force_under_a_filter(sample: Corpus, engine: LocalEngine, query: str) -> None:
    connection = sqlite3.connect(sample.data / "xunzhang.sqlite3")
    rows = connection.execute(
        "SELECT p.number FROM passages p JOIN documents d ON d.number = p.document"
        " WHERE d.date BETWEEN '2023' AND '2024'"
    ).fetchall()
    connection.close()
    assert rows
    assert_exact(sample, engine, query, Filter(date_from="2023", date_to="2023"), {number for (number,) in rows})


@pytest.mark.local
def test_dense_search_equals_brute_force_after_removals_and_additions(archive: Corpus, put) -> None:
    texts = {f"d{number}": f"第{number}条：{text}" for number, text in enumerate([BRIDGE, HARBOUR, SCHOOL] * 10)}
    put(**texts)
    archive.remove(["d3", "d17"])  # few enough to be masked
    put(late=BRIDGE + "后来补记。")
    engine = LocalEngine(archive.data, create=False)
    assert_exact(archive, engine, "老石桥", Filter(), None)
    view = engine.view()
    assert view is not None
    assert len(view.dense(archive.encoder().queries(["渔船"])[0], 100, Filter()).numbers) == 29
    engine.close()
    assert archive.verify() == []


# Generations


def files(data: Path) -> dict[Path, str]:
    return {
        file: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((data / "generations").rglob("*"))
        if file.is_file()
    }


@pytest.mark.local
def test_a_new_generation_leaves_the_files_of_the_old_as_they_were(archive: Corpus, put, tmp_path: Path) -> None:
    put(**{f"d{number}": f"第{number}条：{BRIDGE}" for number in range(12)})
    before = files(archive.data)
    for file in before:  # a reader that still has them open; a hard link keeps them from vanishing
        kept = tmp_path / file.relative_to(archive.data)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.hardlink_to(file)
    put(new=HARBOUR)
    archive.remove(["d3"])
    after = {archive.data / file.relative_to(tmp_path): digest for file, digest in files(tmp_path).items()}
    assert after == before
    shared = {file.stat().st_ino for file in files(archive.data)} & {file.stat().st_ino for file in files(tmp_path)}
    assert shared  # and they were linked, not copied


@pytest.mark.local
def test_readers_see_a_new_generation_without_opening_again(archive: Corpus, put) -> None:
    put(bridge=BRIDGE)
    reader = Corpus.open(archive.data)
    assert reader.search(SearchRequest("渔船", "lexical")).hits == ()
    before = reader.status().generation
    put(harbour=HARBOUR)
    answer = reader.search(SearchRequest("渔船", "lexical"))
    assert [hit.document.id for hit in answer.hits] == ["harbour"]
    assert answer.generation > before
    archive.remove(["harbour"])
    assert reader.search(SearchRequest("渔船", "lexical")).hits == ()
    reader.close()


# Other processes


WRITER = """
import sys
from pathlib import Path
from index.engine.local import LocalEngine
engine = LocalEngine(Path(sys.argv[1]), create=False)
with engine.writing():
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.local
def test_only_one_process_may_write(archive: Corpus, put) -> None:
    put(bridge=BRIDGE)
    engine = LocalEngine(archive.data, create=False)
    other = subprocess.Popen(
        [sys.executable, "-c", WRITER, archive.data],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(BusyError, match="wait until it has finished"), engine.writing(timeout=0.05):
            pass
        assert archive.search(SearchRequest("老石桥")).hits  # reading goes on
        other.kill()
    with engine.writing(timeout=5):  # a killed writer leaves no lock behind
        pass
    engine.close()


# Opening


def test_there_has_to_be_an_index_unless_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"scripts\.build_index"):
        Corpus.open(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_directory_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="choose another directory"):
        Corpus.open(tmp_path / "file", create=True)


def test_a_database_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "xunzhang.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(DataError, match="restore a backup"):
        Corpus.open(tmp_path)


def test_a_database_of_a_later_format_is_refused_and_left_alone(sample_copy: Path) -> None:
    database = sample_copy / "xunzhang.sqlite3"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="format 99"):
        Corpus.open(sample_copy)


def test_an_archive_that_was_never_filled_says_what_to_do(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True)
    assert not corpus.status().ready
    with pytest.raises(DataError, match=r"python -m scripts\."):
        corpus.search(SearchRequest("老石桥"))
    corpus.close()


def test_records_may_come_with_any_characters(archive: Corpus) -> None:
    odd = {"id": "odd", "text": f"\ud800{BRIDGE}\x00𠀀🌉", "title": "\U0001f309 桥", "tags": ["引号\"'", "逗,号"]}
    archive.add([record_source(odd, source="杂")])
    assert "odd" in found(archive, "老石桥", tags=("引号\"'",))
    assert archive.verify() == []
