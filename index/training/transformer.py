"""A small transformer beside the table: its shape, its tokenizer, and the sentence-transformers folder it becomes.

BERT's architecture (Devlin et al. 2019) in its plainest form, over the same Unigram tokens as the compact model, with
the mean of the last layer as the vector of a text (Reimers and Gurevych 2019). Token ids are those of the training
pairs; no mark stands before or after a text.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.functional import normalize

from index.loading import quietly
from index.training.ragged import Ragged
from index.training.tokenizer import UNKNOWN

MASK, PAD = "<mask>", "<pad>"


@dataclass(frozen=True)
class Shape:
    """The size of the network; as it stands 24 million parameters.

    Attributes:
        tokens: Size of the vocabulary, without the two tokens for masks and padding.
        latin: How many of the tokens may be English words and pieces of words.
        width: Length of a vector.
        layers, heads, inner: Of the encoder.
        positions: Tokens of the longest text it reads.
    """

    tokens: int = 34_000
    latin: int = 7_000
    width: int = 384
    layers: int = 6
    heads: int = 6
    inner: int = 1_536
    positions: int = 256


class Network(torch.nn.Module):
    """BERT with the head that guesses masked words.

    Args:
        device: Where it computes; half precision (bfloat16) on a GPU.
    """

    def __init__(self, shape: Shape, device: str = "cpu") -> None:
        from transformers import BertConfig, BertForMaskedLM  # noqa: PLC0415 - takes seconds

        super().__init__()
        config = BertConfig(
            vocab_size=shape.tokens + 2,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=shape.positions,
            pad_token_id=shape.tokens + 1,
            hidden_dropout_prob=0.0,  # one short pass over the text: nothing to overfit to
            attention_probs_dropout_prob=0.0,
            use_cache=False,
        )
        self.bert: Any = BertForMaskedLM(config)
        self.mask = shape.tokens
        self.device = device
        self.to(device)

    @property
    def parameters_count(self) -> int:
        """How many numbers are learnt."""
        return sum(parameter.numel() for parameter in self.parameters())

    def read(self, texts: Ragged) -> tuple[torch.Tensor, torch.Tensor]:
        """The last layer, shape ``(texts, longest, width)``, and which places hold a token."""
        width = int(texts.lengths.max(initial=1))
        there = np.arange(width) < texts.lengths[:, None]
        ids = np.full(there.shape, self.mask + 1, np.int64)
        ids[there] = texts.ids
        present = torch.from_numpy(there).to(self.device)
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.device == "cuda"):
            found = self.bert.bert(input_ids=torch.from_numpy(ids).to(self.device), attention_mask=present.long())
        return found.last_hidden_state.float(), present

    def vectors(self, texts: Ragged) -> torch.Tensor:
        """Unit vectors of the texts, shape ``(texts, width)``."""
        layer, present = self.read(texts)
        return normalize((layer * present[:, :, None]).sum(1), dim=1)

    def guesses(self, texts: Ragged, hidden: np.ndarray[Any, np.dtype[np.bool_]]) -> torch.Tensor:
        """Logits at the flat places of ``texts`` that are ``hidden``, shape ``(hidden, tokens)``."""
        layer, present = self.read(Ragged(np.where(hidden, self.mask, texts.ids).astype(np.int32), texts.starts))
        chosen = layer[present][torch.from_numpy(hidden).to(self.device)]
        logits: torch.Tensor = self.bert.cls(chosen)
        return logits


def save(network: Network, shape: Shape, tokenizer: Tokenizer, out: Path) -> None:
    """Write a sentence-transformers folder at ``out``, in place of one that is there."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # BERT's pooler is missing, and not used
    torch.manual_seed(0)  # it is filled at random
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        bare = Path(temporary) / "bert"
        quietly()
        network.bert.bert.save_pretrained(bare)
        own = Tokenizer.from_str(tokenizer.to_str())
        own.add_special_tokens([MASK, PAD])  # in this order after the vocabulary, as the network has them
        wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=own, unk_token=UNKNOWN, mask_token=MASK, pad_token=PAD, model_max_length=shape.positions
        )
        wrapped.save_pretrained(bare)
        modules = [Transformer(str(bare), max_seq_length=shape.positions), Pooling(shape.width), Normalize()]
        made = Path(temporary) / "model"
        SentenceTransformer(modules=modules, device="cpu").save(str(made), create_model_card=False)
        if out.exists():
            shutil.rmtree(out)
        made.replace(out)
