"""A transformer computed by ONNX Runtime in place of torch, one that embeds texts or one that scores pairs of texts.

What sentence-transformers does around the network stays its own: tokenizer, prompts, pooling, further layers. Only the
network is exchanged, for the graph that ``onnx_export.py`` made. Importing this takes seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from sentence_transformers.util import import_from_string

from index.tuning import processors

GRAPH, EXPECTED = "model.onnx", "expected.npy"


@dataclass(frozen=True, slots=True)
class Task:
    """What a transformer does, and how near a graph has to come to torch in it.

    Attributes:
        output: The network's name for what it gives.
        least: How near what the two say of each of ``TEXTS`` must be at least: the cosine of two vectors, or 1 less
            the difference of two scores.
        unfit: Why a graph is not used, with both numbers left open.
    """

    output: str
    least: float
    unfit: str


TASKS = {
    "feature-extraction": Task(
        "last_hidden_state", 0.99, "a text's vector would have a cosine of {:.3f} with that by torch, less than {}"
    ),
    "sequence-classification": Task(
        "logits", 0.98, "the nearness of a pair's score to that by torch would be {:.3f}, less than {}"
    ),
}

# What is compared: short and long, Chinese and English, plain and full of numbers.
_SHORT = (
    "桥",
    "哪天停水？",
    "library opening hours",
    "老城区的三座石桥昨天重新开放，行人可以通过，汽车仍须绕行。",
    "市气象台预计今晚到明天有大风，阵风八级，沿海的渔船应当及早回港。",
    "据统计，去年全县共修建公路128.6公里，完成投资3.2亿元，比前年增长7.5%。",
    "The ferry to the island was cancelled on Tuesday because of high waves, and will run again once the wind drops.",
    "她把旧信一封一封摊在桌上，按邮戳的日期排好，才发现少了那年冬天的一封。",
    "申请人应当自收到通知之日起三十日内，向原登记机关提出书面申请，并附身份证件和两张近期照片；逾期不提出的，视为放弃。",
    "Bread prices rose again in March, by 4.1 percent, while milk, eggs and sugar became cheaper than a year before.",
    "本报讯 昨天下午，第三中学的学生在老师带领下，到河边清理垃圾两百多袋。带队的老师说，这样的活动每学期举行两次，"
    "已经坚持了九年。",
    "电影院售票处：成人40元，学生和六十岁以上的老人半价，一米二以下的儿童免票；每周二下午场一律15元，节假日除外。",
    "WiFi 密码忘了怎么办",
    "The committee met for the fourth time this year. It discussed the repair of the town hall's roof, the new bus "
    "line to the hospital, and whether the market should open on Sundays; on the last point no agreement was reached, "
    "and the members will meet again in two weeks.",
    "村里的老人说，这口井有三百多年了，再旱的年头也没有干过。去年夏天接连四十天没下雨，附近几个村都靠卡车送水，只有这口井"
    "的水位还和平常一样。县里的水利员来量过两回，说是井底通着一条地下河，河的另一头在十几里外的山脚下，至于究竟从哪里来，"
    "还没有人说得清楚。",
    "通知：因设备检修，本周四上午九点至下午五点，东街、南街及学院路一带暂停供水，请居民提前储水，给您带来不便敬请谅解。",
)
TEXTS = (*_SHORT, _SHORT[-2] * 4)  # the last longer than many models read


class UnfitError(Exception):
    """A model that cannot be computed in this way, with the reason as one clause."""


class OnnxTransformer(Transformer):
    """The transformer of a model, with a graph of ONNX Runtime for its network."""

    def _load_model(self, model_name_or_path: str, transformer_task: str, config: Any, *_: object, **__: object) -> Any:
        return _Graph(Path(model_name_or_path) / GRAPH, config, TASKS[transformer_task].output)


class _Graph(torch.nn.Module):
    """A graph as sentence-transformers calls a network.

    Threads do not spin while they wait: a query of e5-small takes 2.6 ms in place of 2.2 where they follow each other
    at once, and 4 ms of processor time in place of 28 where there is a pause between them.
    """

    def __init__(self, file: Path, config: Any, output: str) -> None:
        super().__init__()
        self.config = config
        self._output = output
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = processors()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._inputs = [given.name for given in self._session.get_inputs()]

    def forward(self, **features: Any) -> dict[str, torch.Tensor]:
        """What the network gives, such as the vectors of tokens, shape ``(texts, tokens, width)``."""
        given = {name: features[name].numpy() for name in self._inputs}
        return {self._output: torch.from_numpy(self._session.run(None, given)[0])}


def opened(folder: Path, dimension: int | None) -> Any:
    """A model, ``SentenceTransformer`` or ``CrossEncoder``, whose network was turned into a graph.

    Args:
        folder: What ``onnx_export.convert`` wrote.
        dimension: How many numbers of a vector are used, ``None`` for all.

    Raises:
        UnfitError: It does not say what torch says: it was made on a machine with another processor.
    """
    model = assembled(folder, dimension)
    prove(model, np.load(folder / EXPECTED))
    return model


def assembled(folder: Path, dimension: int | None = None) -> Any:
    """The same, whatever it says.

    Raises:
        UnfitError: A part of it is not of sentence-transformers.
    """
    modules: list[Any] = []
    for place, entry in enumerate(json.loads((folder / "modules.json").read_text(encoding="utf-8"))):
        if not entry["type"].startswith("sentence_transformers."):
            raise UnfitError("a part of it runs code of its own")
        kind: Any = OnnxTransformer if place == 0 else import_from_string(entry["type"])
        modules.append(kind.load(str(folder), subfolder=entry["path"], local_files_only=True))
    kept = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    prompts = {"prompts": kept.get("prompts"), "default_prompt_name": kept.get("default_prompt_name")}
    if TASKS[modules[0].transformer_task].output == "logits":
        return CrossEncoder(modules=modules, device="cpu", **prompts)
    dimension = dimension or kept.get("truncate_dim")
    return SentenceTransformer(modules=modules, device="cpu", truncate_dim=dimension, **prompts)


def said(model: Any) -> npt.NDArray[np.float32]:
    """What a model says of ``TEXTS``: their vectors, or, in one column, how well each goes with itself and the next."""
    if isinstance(model, CrossEncoder):
        pairs = [(text, read) for text, following in pairwise(TEXTS) for read in (text, following)]
        found = model.predict(pairs, batch_size=4, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        return np.asarray(found, np.float32).reshape(len(pairs), -1)
    found = model.encode(list(TEXTS), prompt="", batch_size=4, convert_to_numpy=True, show_progress_bar=False)
    return np.asarray(found, np.float32)


def prove(model: Any, expected: npt.NDArray[np.float32]) -> float:
    """How near a model comes to what was said by torch, of which further columns do not count.

    Raises:
        UnfitError: Not near enough.
    """
    found = said(model)
    if isinstance(model, CrossEncoder):
        nearness = 1 - float(np.abs(found - expected).max())
    else:
        expected = expected[:, : found.shape[1]]
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        nearness = float(((found * expected).sum(axis=1) / lengths).min())
    task = TASKS[model[0].transformer_task]
    if not nearness >= task.least:  # nor no number
        raise UnfitError(task.unfit.format(nearness, task.least))
    return nearness
