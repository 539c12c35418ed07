"""The commands as a user runs them: what they print, how they end, and one clear sentence for every mistake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import Document
from scripts.common import check_settings

ROOT = Path(__file__).parents[2]
BRIDGE = "经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过，老人们在桥头下棋。\n"
COMMANDS = ["build_index", "search", "manage", "evaluate", "benchmark"]


def sentence(answer: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr of a command that could not do what it was asked."""
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.endswith((".", "。", "?")) or "python -m scripts." in line
    return line


def first_document(data: Path) -> Document:
    corpus = Corpus.open(data)
    document = corpus.documents(limit=1).documents[0]
    corpus.close()
    return document


# A first day with the commands


def test_index_search_check_change_and_remove(command, tmp_path: Path) -> None:
    papers, data = tmp_path / "papers", tmp_path / "data"
    papers.mkdir()
    (papers / "2021-05-06-bridge.txt").write_text(BRIDGE, encoding="utf-8")
    (papers / "harbour.txt").write_text("渔港的六百条渔船今天全部回港。\n", encoding="utf-8")
    (papers / "old.txt").write_bytes(b"{\\rtf1 x}")

    built = command("build_index", papers, "--data", data)
    assert built.returncode == 3  # something was skipped
    assert "Added 2, replaced 0, unchanged 0, removed 0, skipped 1" in built.stdout
    assert "old.txt is an RTF document, which is not read; save it as .docx" in built.stderr
    assert "Traceback" not in built.stderr

    (papers / "old.txt").unlink()
    again = command("build_index", papers, "--data", data, LANG="zh_CN.UTF-8")
    assert again.stdout.startswith("新增 0 篇，更新 0 篇，未变 2 篇，删除 0 篇，跳过 0 项；")

    found = command("search", "石桥什么时候开放", "--data", data, "--json")
    assert found.returncode == 0
    assert found.stderr == ""
    answer = json.loads(found.stdout)
    assert answer["hits"][0]["text"] == BRIDGE.strip()
    assert "".join(segment["text"] for segment in answer["hits"][0]["segments"]) == BRIDGE.strip()
    assert answer["hits"][0]["document"]["date"] == "2021-05-06"

    shown = command("search", "老石桥", "--data", data)
    assert "⟦经过两年修缮，城南的老石桥昨天重新开放。⟧" in shown.stdout

    status = json.loads(command("manage", "status", "--data", data, "--json").stdout)
    assert (status["documents"], status["pending"], status["ready"]) == (2, 0, True)
    assert status["vector_index"] == "exact"
    reason = status["vector_reason"]
    assert "up to 20,000 vectors" in reason
    assert f"vector_index    exact ({reason})" in command("manage", "status", "--data", data).stdout
    chinese = command("manage", "status", "--data", data, "--lang", "zh").stdout
    assert "exact（向量不超过 20,000 个，" in chinese
    assert "重排状态" in chinese
    verified = command("manage", "verify", "--data", data)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "All is well: 2 documents, 2 passages" in verified.stdout

    (papers / "2021-05-06-bridge.txt").unlink()
    pruned = command("build_index", papers, "--data", data, "--prune")
    assert "Added 0, replaced 0, unchanged 1, removed 1, skipped 0" in pruned.stdout

    removed = command("manage", "remove", first_document(data).id, "--data", data)
    assert (removed.returncode, removed.stdout) == (0, "Removed 1 documents.\n")
    assert command("manage", "remove", "nobody", "--data", data).returncode == 2
    nothing = command("search", "渔船", "--data", data)
    assert nothing.returncode == 1
    assert "Nothing answers this" in nothing.stdout


def test_damage_is_told_and_rebuilt(command, sample_copy: Path) -> None:
    file = next(file for file in sample_copy.rglob("vectors.f16") if file.stat().st_size)
    raw = bytearray(file.read_bytes())
    raw[100] ^= 1
    file.unlink()
    file.write_bytes(raw)
    verified = command("manage", "verify", "--data", sample_copy)
    assert verified.returncode == 1
    assert f"{file} is damaged" in verified.stderr
    assert f"python -m scripts.manage rebuild --data {sample_copy}" in verified.stderr
    rebuilt = command("manage", "rebuild", "--data", sample_copy)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stdout.startswith("Rebuilt: 43 documents")
    assert command("manage", "verify", "--data", sample_copy).returncode == 0


def test_an_archive_is_backed_up_restored_and_compacted(command, sample_copy: Path, tmp_path: Path) -> None:
    secret = command("manage", "keys", "create", "--data", sample_copy).stdout.splitlines()[1]
    made = command("manage", "backup", tmp_path, "--data", sample_copy, "--with-keys")
    assert made.returncode == 0, made.stderr
    (file,) = tmp_path.glob("xunzhang-*.tar")
    assert made.stdout.startswith(f"Backed up to {file} (")
    assert made.stdout.endswith("MB): 43 documents, 139 passages, model compact.\n")
    assert secret.encode() not in file.read_bytes()

    checked = command("manage", "restore", file, "--check", "--data", tmp_path / "new", "--lang", "zh")
    assert checked.stdout.endswith("的备份完好：43 篇文档、139 个段落，模型 compact。\n")
    assert not (tmp_path / "new").exists()
    restored = command("manage", "restore", file, "--data", tmp_path / "new", "--with-keys")
    assert restored.returncode == 0, restored.stderr
    assert command("manage", "verify", "--data", tmp_path / "new").returncode == 0
    listed = command("manage", "keys", "list", "--data", tmp_path / "new").stdout
    assert listed == command("manage", "keys", "list", "--data", sample_copy).stdout

    again = command("manage", "restore", file, "--data", tmp_path / "new")
    assert again.returncode == 2
    assert "is not empty" in sentence(again)
    forced = command("manage", "restore", file, "--data", tmp_path / "new", "--force")
    assert f"What was there before is in {tmp_path / 'new' / 'before-restore-'}" in forced.stdout
    assert command("manage", "keys", "list", "--data", tmp_path / "new").stdout == listed

    compacted = command("manage", "compact", "--data", tmp_path / "new")
    assert compacted.returncode == 0, compacted.stderr
    assert compacted.stdout.startswith("Freed ")
    assert "which a restore had moved aside" in compacted.stdout


def test_a_backup_goes_into_a_folder_that_is_made_for_it(command, sample_copy: Path, tmp_path: Path) -> None:
    """A slash at the end says that a folder is meant; without one a new name is that of the file."""
    made = command("manage", "backup", f"{tmp_path}/new/nightly/", "--data", sample_copy)
    assert made.returncode == 0, made.stderr
    (file,) = (tmp_path / "new" / "nightly").iterdir()
    assert re.fullmatch(r"xunzhang-\d{8}T\d{6}Z\.tar", file.name)
    assert file.parent.stat().st_mode & 0o077 == 0
    (tmp_path / "taken").write_text("a file")
    refused = command("manage", "backup", f"{tmp_path}/taken/", "--data", sample_copy)
    assert refused.returncode == 2
    assert f"{tmp_path / 'taken'} cannot be written" in sentence(refused)
    assert command("manage", "backup", tmp_path / "one.tar", "--data", sample_copy).returncode == 0
    assert (tmp_path / "one.tar").is_file()


def test_keys_are_made_listed_and_revoked(command, tmp_path: Path) -> None:
    made = command("manage", "keys", "create", "--scope", "admin", "--note", "desk", "--data", tmp_path)
    assert made.returncode == 0, made.stderr
    told, secret = made.stdout.splitlines()
    assert "shown only now" in told
    listed = command("manage", "keys", "--data", tmp_path, "list").stdout
    assert "desk" in listed
    assert secret not in listed
    assert secret not in "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.json"))
    key_id = listed.split()[0]
    assert command("manage", "keys", "--data", tmp_path, "revoke", key_id).returncode == 0
    assert command("manage", "keys", "--data", tmp_path, "list").stdout == ""
    assert "Traceback" not in command("manage", "keys", "--data", tmp_path, "revoke", key_id).stderr


def test_evaluate_measures_a_tiny_set(command, tmp_path: Path) -> None:
    texts = {"桥/1": BRIDGE, "港/2": "渔港的六百条渔船今天全部回港。", "校/3": "学校食堂每天公布菜谱。"}
    corpus, queries, qrels = (tmp_path / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"))
    documents = [json.dumps({"_id": id_, "text": text}) for id_, text in texts.items()]
    corpus.write_text("\n".join(documents), encoding="utf-8")
    asked = [("q1", "老石桥开放", "word"), ("q2", "渔船回港", "word"), ("q3", "食堂菜谱", "other"), ("q4", "无人", "")]
    lines = [json.dumps({"_id": id_, "text": text, "kind": kind}) for id_, text, kind in asked]
    queries.write_text("\n".join(lines), encoding="utf-8")
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\t桥/1\t1\nq2\t港/2\t1\nq3\t校/3\t1\n", encoding="utf-8")
    answer = command("evaluate", "--json", "--corpus", corpus, "--queries", queries, "--qrels", qrels)
    assert answer.returncode == 0, answer.stderr
    figures = json.loads(answer.stdout)
    assert figures["queries"] == figures["documents"] == 3
    assert figures["ndcg@10"] == figures["mrr@10"] == figures["recall@10"] == figures["recall@100"] == 1.0
    assert figures["p50_ms"] > 0
    assert figures["kinds"]["word"]["queries"] == 2


# Mistakes


@pytest.mark.parametrize(
    ("path", "says"),
    [("absent", "does not exist; check the spelling."), ("folder", "There is no file to index in")],
)
def test_nothing_to_index(command, tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "folder").mkdir()
    answer = command("build_index", tmp_path / path, "--data", tmp_path / "data")
    assert answer.returncode == 2
    assert says in sentence(answer)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty."), (b"%PDF-1.5 half", "is a damaged PDF"), (b"\x00\x01", "is not a text file.")],
    ids=["empty", "pdf", "binary"],
)
def test_a_file_that_cannot_be_read(command, tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "paper.txt").write_bytes(content)
    answer = command("build_index", tmp_path / "paper.txt", "--data", tmp_path / "data")
    assert answer.returncode == 2
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("lang", "says"), [("en", "There is no model 'gpt-9'; choose one of"), ("zh", "没有名为 'gpt-9' 的模型")]
)
def test_an_unknown_model(command, tmp_path: Path, lang: str, says: str) -> None:
    (tmp_path / "paper.txt").write_text(BRIDGE, encoding="utf-8")
    arguments = ["--data", tmp_path / "data", "--model", "gpt-9", "--lang", lang]
    answer = command("build_index", tmp_path / "paper.txt", *arguments)
    assert answer.returncode == 2
    assert says in sentence(answer)


@pytest.mark.parametrize("arguments", [["search", "桥"], ["manage", "status"], ["manage", "remove", "x"]])
def test_an_index_that_is_not_there(command, tmp_path: Path, arguments: list[str]) -> None:
    answer = command(*arguments, "--data", tmp_path / "data")
    assert answer.returncode == 2
    assert f"python -m scripts.build_index PATH --data {tmp_path / 'data'}" in sentence(answer)
    assert not (tmp_path / "data").exists()


def test_an_engine_that_there_is_not(command, tmp_path: Path) -> None:
    answer = command("search", "桥", "--data", tmp_path, XUNZHANG_ENGINE="nonsense")
    assert answer.returncode == 2
    assert "XUNZHANG_ENGINE" in sentence(answer)
    assert "nonsense" in answer.stderr


def test_a_query_that_cannot_be_asked(command, sample_copy: Path) -> None:
    answer = command("search", " ", "--data", sample_copy)
    assert answer.returncode == 2
    assert sentence(answer) == "The query is empty; type a question or a few words."


def test_qrels_that_judge_none_of_the_queries(command, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "桥。"}\n', encoding="utf-8")
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "桥"}\n', encoding="utf-8")
    (tmp_path / "r.tsv").write_text("query-id\tcorpus-id\tscore\nother\ta\t1\n", encoding="utf-8")
    arguments = ["--corpus", tmp_path / "c.jsonl", "--queries", tmp_path / "q.jsonl", "--qrels", tmp_path / "r.tsv"]
    answer = command("evaluate", *arguments)
    assert answer.returncode == 2
    assert "judges none of the queries" in sentence(answer)


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_answers_at_once(name: str) -> None:
    """Nothing heavy is imported for it."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{name}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('scripts.{name}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'torch', 'faiss', 'numpy', 'tantivy', 'transformers', 'sentence_transformers', 'flask', 'opencc'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.endswith("imported: []\n")
    assert "usage: python -m scripts." in answer.stdout


# Settings


@pytest.mark.parametrize(
    ("variable", "value", "may_be"),
    [
        ("XUNZHANG_LANG", "fr", "zh or en"),
        ("XUNZHANG_DIMENSION", "x", "a whole number from 1 to 99999"),
        ("XUNZHANG_DIMENSION", "0", "a whole number from 1 to 99999"),
        ("XUNZHANG_REMOTE_CODE", "2", "1 or 0"),
        ("XUNZHANG_RERANK_MS", "-5", "a whole number from 1 to 600000"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_where_it_is_not_needed_too(
    command, tmp_path: Path, variable: str, value: str, may_be: str
) -> None:
    answer = command("manage", "status", "--data", tmp_path, **{variable: value})
    assert answer.returncode == 2
    assert sentence(answer) == f"The setting {variable} is {value!r}, but it must be {may_be}."


def test_settings_as_they_may_be_are_taken() -> None:
    check_settings({"XUNZHANG_LANG": "zh_CN.UTF-8", "XUNZHANG_DIMENSION": "256", "XUNZHANG_REMOTE_CODE": "0"})
    check_settings({"XUNZHANG_LANG": "", "XUNZHANG_DIMENSION": ""})
