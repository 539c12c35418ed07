"""Turning a transformer into a graph for ONNX Runtime, in a process of its own, and proving its vectors.

Two kinds:

- ``onnx``: in the model's own single precision.
- ``int8``: weights in eight bits with one scale an output, activations in eight bits with one scale a batch, taken as
  it is computed (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
  Inference"; ONNX Runtime's ``quantize_dynamic``). Where the vectors would be too far off, the second layers of the
  feed-forward blocks, whose inputs have the widest range, stay in single precision; where that is not enough, every 64
  weights and activations have a scale of their own (``MatMulNBits``), which is all but exact.

Measured in README.md. It takes a process of its own for its memory: 8.5 GB and 71 s for a model of 2.2 GB, where
1.3 GB answer queries afterwards.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from sentence_transformers.sentence_transformer.modules import Transformer

from index.backends import PROOF
from index.onnx_model import EXPECTED, GRAPH, TASKS, TEXTS, UnfitError, assembled, prove, said

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # those that the tokenizer gives
# The operators of 23 that stand for a whole attention are half again as fast as their parts; those for rotary positions
# take no batches in ONNX Runtime 1.28 to 1.32, so that models with such positions (Qwen3, ModernBERT, Gemma) need 22.
_OPSETS = (23, 22)
_MATRIX = 2  # dimensions
_LARGE = 4 << 30  # bytes of weights from which a graph in eight bits may be more than the format's 2 GB


class _Bare(torch.nn.Module):
    """A network without its weights, for writing what else there is of a model."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def save_pretrained(self, folder: str, **_: object) -> None:
        """Write the configuration."""
        self.config.save_pretrained(folder)


class _Network(torch.nn.Module):
    """A network with the inputs and the one output of the graph."""

    def __init__(self, network: Any, output: str) -> None:
        super().__init__()
        self._network, self._output = network, output

    @property
    def pairs(self) -> bool:
        """Whether it reads two texts at once."""
        return self._output == "logits"

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What it gives."""
        kinds = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        found = self._network(input_ids=input_ids, attention_mask=attention_mask, **kinds)
        return found[self._output]  # type: ignore[no-any-return]


def convert(model: Any, kind: str, folder: Path, dimension: int | None = None) -> float:
    """Write a model into a folder, with a graph in place of its network.

    Args:
        model: A ``SentenceTransformer`` or ``CrossEncoder`` on the CPU and in single precision. Its network is gone
            afterwards.
        kind: ``onnx`` or ``int8``.
        folder: Empty.
        dimension: How many numbers of a vector are used, ``None`` for all.

    Returns:
        How near the graph comes to torch, see ``Task``.

    Raises:
        UnfitError: The model is of another kind, or not near enough.
        OSError: The folder cannot be written.
    """
    transformer = model[0]
    if type(transformer) is not Transformer or transformer.transformer_task not in TASKS:
        raise UnfitError("it is not one transformer that reads text")
    cut, model.truncate_dim = getattr(model, "truncate_dim", None), None
    expected = said(model)
    model.truncate_dim = cut
    np.save(folder / EXPECTED, expected)
    network = _Network(transformer.model, TASKS[transformer.transformer_task].output).eval()
    transformer.model = _Bare(transformer.model.config)
    model.save_pretrained(str(folder), create_model_card=False)
    features = model.preprocess([(TEXTS[2], TEXTS[3]), (TEXTS[5], TEXTS[1])] if network.pairs else list(TEXTS[2:4]))

    def proven() -> float:
        return prove(assembled(folder, dimension), expected)

    nearness = _exported(network, {name: features[name] for name in _INPUTS if name in features}, folder, proven)
    if kind == "onnx":
        return nearness
    del network
    gc.collect()
    return _quantised(folder, proven)


def _exported(network: _Network, sample: dict[str, Any], folder: Path, proven: Callable[[], float]) -> float:
    """Write the graph in single precision."""
    reason = ""
    for opset in _OPSETS:
        try:
            _export(network, sample, opset, folder / GRAPH)
            return proven()
        except (OSError, MemoryError, ImportError):
            raise  # which says nothing of the model
        except Exception as error:  # exporters raise anything
            reason = reason or str(error).strip().partition("\n")[0][:200] or type(error).__name__
    raise UnfitError(reason)


def _quantised(folder: Path, proven: Callable[[], float]) -> float:
    """Write the graph in eight bits, in the fastest way that comes near enough."""
    place = folder / "whole"
    place.mkdir()
    for file in folder.glob(f"{GRAPH}*"):  # with its weights, which it knows by their name beside it
        file.rename(place / file.name)
    whole, blocks = place / GRAPH, place / "blocks.onnx"
    matrices = _matrices(whole)
    _forget_shapes(whole)
    large = sum(file.stat().st_size for file in place.iterdir()) > _LARGE
    by_batch = partial(quantize_dynamic, per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=large)
    reason = ""
    try:
        for spared in ([], [name for name, (inputs, outputs) in matrices.items() if inputs > outputs], None):
            for file in folder.glob(f"{GRAPH}*"):
                file.unlink()
            try:
                if spared is None:
                    _by_blocks(whole, blocks, list(matrices))
                    by_batch(blocks, folder / GRAPH, op_types_to_quantize=["Gather"])
                else:
                    by_batch(whole, folder / GRAPH, op_types_to_quantize=["MatMul", "Gather"], nodes_to_exclude=spared)
                return proven()
            except (OSError, MemoryError, ImportError):
                raise
            except Exception as error:  # quantisers raise anything
                reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
    finally:
        shutil.rmtree(place)
    raise UnfitError(reason)


def _export(network: _Network, sample: dict[str, Any], opset: int, file: Path) -> None:
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        torch.onnx.export(
            network,
            tuple(sample.values()),
            str(file),
            dynamo=True,
            opset_version=opset,
            input_names=list(sample),
            output_names=["found"],
            dynamic_shapes=tuple({0: free, 1: free} for _ in sample),
            external_data=True,  # a file of the format's own holds 2 GB at most
            verbose=False,
        )


def _matrices(graph: Path) -> dict[str, tuple[int, int]]:
    """The layers that multiply by weights, with how many inputs and outputs they have."""
    loaded = onnx.load(str(graph), load_external_data=False).graph
    shapes = {weights.name: tuple(weights.dims) for weights in loaded.initializer}
    found = {node.name: shapes.get(node.input[1], ()) for node in loaded.node if node.op_type == "MatMul"}
    return {name: (shape[0], shape[1]) for name, shape in found.items() if len(shape) == _MATRIX}


def _forget_shapes(graph: Path) -> None:
    """Remove what the exporter noted of shapes in between: what it folded has others by now, and is refused for it."""
    loaded = onnx.load(str(graph), load_external_data=False)
    del loaded.graph.value_info[:]
    onnx.save(loaded, str(graph))


def _by_blocks(graph: Path, target: Path, layers: list[str]) -> None:
    way = DefaultWeightOnlyQuantConfig(
        block_size=64,
        is_symmetric=True,
        accuracy_level=4,  # activations in eight bits too
        op_types_to_quantize=("MatMul",),
        bits=8,
    )
    quantiser = MatMulNBitsQuantizer(onnx.load(str(graph)), algo_config=way, nodes_to_include=layers)
    quantiser.process()
    quantiser.model.save_model_to_file(str(target), True)


def write(load: Callable[[str], Any], kind: str, folder: Path, dimension: int | None = None) -> None:
    """Write a model as :func:`convert` does, or why it cannot be, with how near it comes in ``PROOF``.

    Raises:
        ModelError: The model cannot be loaded.
        OSError: The folder cannot be written.
    """
    folder.mkdir()
    try:
        proof: dict[str, Any] = {"nearness": round(convert(load("cpu"), kind, folder, dimension), 4)}
    except UnfitError as error:
        proof = {"unfit": str(error)}
        shutil.rmtree(folder)
        folder.mkdir()
    (folder / PROOF).write_text(json.dumps(proof), encoding="utf-8")


def main() -> None:
    """Write the model that is named on the standard input, for as long as the process that started this lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    asked = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this
    Thread(target=_end_with_who_asked, daemon=True).start()
    try:
        write(*asked)
    except OSError as error:
        sys.exit(error.strerror or str(error))


def _end_with_who_asked() -> None:
    os.read(sys.stdin.fileno(), 1)  # not through the buffer, whose lock Python wants when it ends
    os._exit(1)
