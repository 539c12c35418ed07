"""Small real models made for the tests: the architectures of the hub with a few thousand weights, saved as there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# What a chat template of a causal reranker looks like: an instruction, both texts by role, and the answer begun.
PAIRS = "{% for m in messages %}{{ m['role'] }}：{{ m['content'] }} {% endfor %}答："


def vocabulary(folder: Path, texts: str, words: Sequence[str] = ()) -> tuple[Path, int]:
    """A vocabulary file of single characters, and its size."""
    tokens = [*MARKS, *words, *sorted(set(texts) - set(" \n"))]
    file = folder / "vocab.txt"
    file.write_text("\n".join(tokens), encoding="utf-8")
    return file, len(tokens)


def bert_reranker(folder: Path, graded: Sequence[tuple[str, str, float]], steps: int = 150) -> Path:
    """A BERT-style cross-encoder trained to give each pair of texts its grade, 0 or 1."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(3)
    file, size = vocabulary(folder, "".join(query + passage for query, passage, _ in graded))
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=size, num_labels=1, max_position_embeddings=128, hidden_dropout_prob=0.0, **shape)
    tokenizer = BertTokenizerFast(vocab=str(file))
    network = BertForSequenceClassification(config).train()
    batch = tokenizer(
        [query for query, *_ in graded], [passage for _, passage, _ in graded],
        padding=True, truncation=True, max_length=128, return_tensors="pt",
    )  # fmt: skip
    grades = torch.tensor([grade for *_, grade in graded])
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(**batch).logits[:, 0], grades)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    CrossEncoder(str(folder / "bert"), device="cpu").save_pretrained(str(folder / "model"))
    return folder / "model"


def qwen_reranker(folder: Path, texts: str, template: str = PAIRS) -> Path:
    """A Qwen3-style causal model with random weights that says yes or no, as it lies on the hub."""
    import torch
    from transformers import BertTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(5)
    file, size = vocabulary(folder, texts + "答：", ["yes", "no", "query", "document"])
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen3Config(vocab_size=size, head_dim=8, intermediate_size=32, pad_token_id=0, **shape)
    Qwen3ForCausalLM(config).save_pretrained(folder / "model")
    tokenizer = BertTokenizerFast(vocab=str(file), chat_template=template)
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"


def bert_embedder(folder: Path, texts: str, *, width: int = 16, seed: int = 1) -> Path:
    """A BERT-style sentence-transformers model with random weights: one layer, mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    file, size = vocabulary(folder, texts)
    shape = {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=size, **shape)).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab=str(file)).save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert")), Pooling(width)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"


def qwen_embedder(folder: Path, texts: str, *, prompts: dict[str, str] | None = None) -> Path:
    """A Qwen3-style folder with random weights: causal, padded on the left, its last token is the vector."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertTokenizerFast, Qwen3Config, Qwen3Model

    torch.manual_seed(2)
    file, count = vocabulary(folder, texts)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen3Config(vocab_size=count, head_dim=8, intermediate_size=32, pad_token_id=0, **shape)
    Qwen3Model(config).save_pretrained(folder / "qwen")
    BertTokenizerFast(vocab=str(file), padding_side="left").save_pretrained(folder / "qwen")
    modules = [Transformer(str(folder / "qwen"), max_seq_length=128), Pooling(16, pooling_mode="lasttoken")]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
    model.save(str(folder / "model"))
    return folder / "model"


def texts_given_to(encoder: type[Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passages that encoders of this kind are given from now on, in this process."""
    given: list[str] = []
    really = encoder.documents

    def documents(self: Any, texts: list[str], ids: list[Any]) -> Any:
        given.extend(texts)
        return really(self, texts, ids)

    monkeypatch.setattr(encoder, "documents", documents)
    return given
