"""Training of the compact model, on a tiny corpus written here, and what the bundled model promises."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from index.errors import SourceError
from index.training import contrastive, folding, pairs, quantise, sources, stages, vocabulary
from index.training.pipeline import Settings, train_model
from index.training.ragged import Ragged
from index.training.sources import Article
from index.training.tokenizer import UNKNOWN, build_tokenizer
from scripts import train_model as command
from tests.index.training_data import WORDS, paragraph, write_training_data

ROOT = Path(__file__).parents[2]
COMPACT = ROOT / "index/models/compact"
TINY = Settings(seed=3, dimension=16, tokens=2600, latin=60, teacher="random").changed(
    {"epochs": 2, "batch": 16, "rate": 0.01}
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_data(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def charsmap() -> bytes:
    return folding.service_charsmap()


@pytest.fixture(scope="module")
def trained(data: Path, charsmap: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    train_model(data, folder / "model", folder / "work", TINY)
    return folder


# Reading


def test_senses_without_meaning_are_left_out(data: Path) -> None:
    entries = {entry.word: entry.senses for entry in sources.dictionary(data)}
    assert entries["台风"] == ("typhoon",)


def test_markup_is_no_text() -> None:
    assert sources.plain("## 见 [手册](http://a.b/c) 与 **粗体**").split() == ["见", "手册", "与", "粗体"]


def test_a_missing_folder_and_a_missing_file_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"does not exist.*--data"):
        sources.require_data(tmp_path / "nowhere")
    partial = shutil.copytree(data, tmp_path / "partial")
    (partial / "cedict.txt.xz").unlink()
    with pytest.raises(SourceError, match=r"lacks cedict\.txt\.xz"):
        sources.require_data(partial)


def test_a_damaged_file_is_named(data: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(data, tmp_path / "broken")
    (broken / "omw-cmn.tab.xz").write_bytes(b"not xz at all")
    with pytest.raises(SourceError, match=r"omw-cmn\.tab\.xz cannot be read"):
        sources.synonyms(broken)


def test_the_command_says_what_is_wrong_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path / "nowhere"), "--work", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nowhere does not exist" in error


# Text to tokens


def test_offsets_point_into_the_original_text(charsmap: bytes) -> None:
    tokens = [UNKNOWN, "机器", "学习", "人工智能", "machine", "2023", "年"]
    tokenizer = build_tokenizer(tokens, [-9.0] * len(tokens), charsmap)
    text = "機器學習，ＭＡＣＨＩＮＥ 人工 智\n能２０２３年"
    encoding = tokenizer.encode(text)
    assert encoding.tokens == ["机器", "学习", "machine", "人工智能", "2023", "年"]
    assert [text[start:end] for start, end in encoding.offsets] == [
        "機器", "學習", "ＭＡＣＨＩＮＥ", "人工 智\n能", "２０２３", "年",
    ]  # fmt: skip


def test_a_tokenizer_needs_its_unknown_token_first() -> None:
    with pytest.raises(ValueError, match="first token must be"):
        build_tokenizer(["a"], [-1.0], b"")
    with pytest.raises(ValueError, match="2 tokens but 1 scores"):
        build_tokenizer([UNKNOWN, "a"], [-1.0], b"")


def test_every_chinese_character_of_the_corpus_is_a_token(data: Path, charsmap: bytes) -> None:
    texts = {"zh": [paragraph(word) for word in WORDS]}
    chosen = vocabulary.choose_vocabulary(texts, dict.fromkeys(WORDS, 5.0), charsmap, size=2600, latin_size=10)
    characters = set(vocabulary.HAN.findall("".join(texts["zh"])))
    assert set("".join(characters)) <= set(chosen.tokens)
    assert set(WORDS) <= set(chosen.tokens)
    assert len(set(chosen.tokens)) == len(chosen.tokens)


def test_a_vocabulary_that_is_too_small_says_so(charsmap: bytes) -> None:
    with pytest.raises(ValueError, match="A vocabulary of 100 cannot hold"):
        vocabulary.choose_vocabulary({"zh": ["茶"]}, {}, charsmap, size=100, latin_size=1)


def test_a_word_is_cut_into_the_shorter_words_it_is_made_of(charsmap: bytes) -> None:
    tokens = (UNKNOWN, "火车站", "火车", "火", "车", "站", "train")
    known = vocabulary.Vocabulary(tokens, (-30.0, -9.0, -8.0, -9.0, -9.0, -8.0, -9.0), (0.1,) * 7)
    parts = vocabulary.parts_of_words(known, charsmap)
    assert [parts.ids[parts.starts[row] : parts.starts[row + 1]].tolist() for row in (1, 2, 3, 6)] == [
        [2, 5],
        [3, 4],
        [3],
        [6],
    ]


# Pairs and rows


def test_windows_join_short_paragraphs_and_keep_all_text() -> None:
    article = Article("题", tuple(f"第{number}段" + "字" * 50 for number in range(12)))
    found = list(pairs.windows(article))
    assert "\n".join(found) == "\n".join(article.paragraphs)
    assert all(len(window) <= 300 for window in found)


def test_a_paragraph_without_a_space_or_a_stop_stays_whole() -> None:
    text = "字" * 600
    assert list(pairs.windows(Article("题", (text,)))) == [text]
    assert pairs.sentences(text) == [text]


def test_rows_are_taken_cropped_replaced_and_thinned() -> None:
    rows = Ragged.of([[1, 2, 3], [], [4, 5]])
    assert rows.take(np.array([2, 0])).ids.tolist() == [4, 5, 1, 2, 3]
    cropped = rows.crop(np.array([0, 1, 2]), 2, np.random.default_rng(0))
    assert cropped.lengths.tolist() == [2, 0, 2]
    parts = Ragged.of([[0], [7, 8], [2], [3], [4], [5]])
    replaced = rows.replace(parts, rows.ids == 1)
    assert (replaced.ids.tolist(), replaced.starts.tolist()) == ([7, 8, 2, 3, 4, 5], [0, 4, 4, 6])
    thinned = rows.keep(rows.ids != 2)
    assert (thinned.ids.tolist(), thinned.starts.tolist()) == ([1, 3, 4, 5], [0, 2, 2, 4])


# Training


def test_training_brings_the_two_sides_of_a_pair_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((40, 8)).astype(np.float32)
    left, right = Ragged.of([[row] for row in range(20)]), Ragged.of([[row + 20] for row in range(20)])
    learned = pairs.PairSet("translation", left, right, np.arange(20), 30.0)
    schedule = contrastive.Schedule(epochs=2, batch=20, rate=0.05)
    table = contrastive.train(table, [learned], schedule, 1, tmp_path / "state.npz")
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert ((unit[:20] @ unit[20:].T).argmax(axis=1) == np.arange(20)).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    train_model(data, tmp_path / "model", tmp_path / "work", TINY)
    for file in ("model.safetensors", "tokenizer.json", "README.md"):
        assert (tmp_path / "model" / file).read_bytes() == (trained / "model" / file).read_bytes(), file
    train_model(data, tmp_path / "other", tmp_path / "work", TINY.changed({"seed": 4}))
    assert (tmp_path / "other/model.safetensors").read_bytes() != (trained / "model/model.safetensors").read_bytes()


def test_an_interrupted_training_ends_as_if_it_had_not_been(data: Path, trained: Path, tmp_path: Path) -> None:
    epochs: list[int] = []

    def stop_after_the_first(epoch: int, _: object) -> None:
        epochs.append(epoch)
        if len(epochs) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(data, tmp_path / "model", tmp_path / "work", TINY, on_epoch=stop_after_the_first)
    assert not (tmp_path / "model").exists()
    train_model(data, tmp_path / "model", tmp_path / "work", TINY, on_epoch=stop_after_the_first)
    assert epochs == [1, 2]
    assert (tmp_path / "model/model.safetensors").read_bytes() == (trained / "model/model.safetensors").read_bytes()


def test_what_a_stage_made_is_not_made_again(tmp_path: Path) -> None:
    workshop = stages.Workshop(tmp_path)
    first = workshop.table("rows", "k", lambda: np.ones((2, 2), np.float32))
    again = workshop.table("rows", "k", lambda: pytest.fail("made again"))
    assert (first == again).all()
    assert stages.key_of("a", 1) != stages.key_of("a", 2)


# The model on disk


def test_eight_bits_keep_the_direction_and_length_of_every_row() -> None:
    rng = np.random.default_rng(0)
    table = (rng.standard_normal((500, 64)) * rng.lognormal(0, 3, (500, 1))).astype(np.float32)
    table[7] = 0
    integers, scales = quantise.quantise(table)
    back = integers * scales[:, None]
    assert not back[7].any()
    lengths, kept = np.linalg.norm(table, axis=1), np.linalg.norm(back, axis=1)
    filled = lengths > 0
    assert ((back * table).sum(axis=1)[filled] / (lengths * kept)[filled]).min() >= 0.99
    assert np.allclose(kept, lengths, rtol=0.01)


def test_a_new_model_takes_the_place_of_the_old_one_whole(trained: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    (place / "stale.bin").write_bytes(b"old")
    tokenizer = build_tokenizer([UNKNOWN, "a"], [-1.0, -1.0], folding.charsmap({"A": "a"}))
    quantise.write_model(place, tokenizer, np.ones((2, 4), np.float32), "# card\n")
    names = sorted(path.name for path in place.iterdir())
    assert names == [
        "README.md",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


@pytest.fixture(scope="module")
def model() -> object:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(COMPACT), device="cpu")


def cosine(model: object, left: str, right: str) -> float:
    first, second = model.encode([left, right])  # type: ignore[attr-defined]
    return float(first @ second)


@pytest.mark.parametrize(
    ("chinese", "english", "other"),
    [("图书馆", "library", "typhoon"), ("医院", "hospital", "orchard"), ("地震", "earthquake", "music")],
)
def test_a_chinese_word_lies_near_its_translation(model: object, chinese: str, english: str, other: str) -> None:
    assert cosine(model, chinese, english) > 0.4
    assert cosine(model, chinese, english) > cosine(model, chinese, other) + 0.2


@pytest.mark.parametrize(
    ("left", "right"), [("機器學習與資訊檢索", "机器学习与资讯检索"), ("ＣＡＦÉ", "cafe"), ("人工 智\n能", "人工智能")]
)
def test_ways_of_writing_do_not_matter(model: object, left: str, right: str) -> None:
    assert cosine(model, left, right) > 0.999


def test_the_bundled_tokenizer_loses_nothing(model: object) -> None:
    tokenizer = model[0].tokenizer  # type: ignore[index]
    long = "劳动者提前三十日以书面形式通知用人单位可以解除劳动合同" * 23
    encoding = tokenizer.encode(long[:600])
    assert UNKNOWN not in encoding.tokens
    assert "".join(encoding.tokens) == long[:600]
    rare = tokenizer.encode("𠮷野家xunzhangification与한국")
    assert UNKNOWN not in rare.tokens
    assert "野" in "".join(rare.tokens)
    assert {start for start, _ in rare.offsets} >= {0, 1}


def test_unit_vectors_and_nothing_for_nothing(model: object) -> None:
    vectors = model.encode(["茶", "", "……"])  # type: ignore[attr-defined]
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0], atol=1e-5)
