"""Adding, changing and removing documents; what readers and other processes see of it; and that it all stays true."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import MODES, SearchRequest
from index.engine import Filter
from index.engine.local import LocalEngine
from index.errors import BusyError, NotFoundError
from index.ingest import record_source, sources_of
from tests.index.texts import BRIDGE, HARBOUR, SCHOOL


def found(corpus: Corpus, query: str, **settings: object) -> set[str]:
    """Ids of the documents that a query finds, in every mode."""
    request = {"limit": 100, "min_score": 0.0, **settings}
    modes = [{hit.document.id for hit in corpus.search(SearchRequest(query, mode, **request)).hits} for mode in MODES]  # type: ignore[arg-type]
    return set.intersection(*modes)


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


def test_records_may_come_with_any_characters(archive: Corpus) -> None:
    odd = {"id": "odd", "text": f"\ud800{BRIDGE}\x00𠀀🌉", "title": "\U0001f309 桥", "tags": ["引号\"'", "逗,号"]}
    archive.add([record_source(odd, source="杂")])
    assert "odd" in found(archive, "老石桥", tags=("引号\"'",))
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
