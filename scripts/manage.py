"""Look after an index: ``python -m scripts.manage --help`` lists what can be done."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import Bars, add_model, options_of, parser, run
from scripts.keeping import add_actions

if TYPE_CHECKING:
    from index.corpus import Corpus
    from index.document import NextModel


def _open(arguments: argparse.Namespace) -> Corpus:
    from index.corpus import Corpus

    return Corpus.open(arguments.data, engine=arguments.engine)


def status(arguments: argparse.Namespace) -> int:
    """Print what the data directory holds."""
    from index.corpus import Corpus
    from index.reranking import RerankSettings

    corpus = Corpus.open(arguments.data, engine=arguments.engine, rerank=RerankSettings.from_environment(os.environ))
    found = corpus.status()
    facts = asdict(found)
    english, chinese_reason = facts.pop("vector_reason")
    facts["backend"] = facts["backend"][arguments.lang == "zh" and not arguments.json]
    corpus.close()
    if arguments.json:
        print(json.dumps({**facts, "vector_reason": english}, ensure_ascii=False))
        return 0
    if english:
        facts["vector_index"] += f"（{chinese_reason}）" if arguments.lang == "zh" else f" ({english})"
    del facts["next_model"]
    if found.next_model is not None:
        facts["next_model"] = _gone_over_to(found.next_model, options_of(found), arguments.lang)
    chinese = {
        "data": "数据目录", "model": "模型", "dimension": "向量维数", "documents": "文档", "passages": "段落",
        "pending": "待计算向量", "generation": "索引代次", "vector_index": "向量索引", "bytes": "占用字节",
        "ready": "可以搜索", "reranker": "重排模型", "reranker_state": "重排状态", "engine": "引擎",
        "backend": "计算方式", "next_model": "将改用模型",
    }  # fmt: skip
    if arguments.lang == "zh":
        facts["ready"] = "是" if found.ready else "否"
        states = {"none": "无", "waiting": "尚未用到", "loading": "正在加载", "ready": "就绪", "failed": "出错"}
        facts["reranker_state"] = states[found.reranker_state]
    for key, value in facts.items():
        # A Chinese character takes the room of two others.
        print(f"{chinese[key]:\u3000<8}{value}" if arguments.lang == "zh" else f"{key:<16}{value}")
    return 0


def _gone_over_to(model: NextModel, options: str, lang: str) -> str:
    command = f"python -m scripts.manage rebuild {options} --model {shlex.quote(model.name)}"
    if lang == "zh":
        return (
            f"{model.name}（{model.passages} 个段落中已计算 {model.embedded} 个；"
            f"如果计算已中断，运行此命令即可继续：{command}）"
        )
    return (
        f"{model.name} ({model.embedded} of {model.passages} passages are embedded; "
        f"if nobody is at it any more, go on with: {command})"
    )


def verify(arguments: argparse.Namespace) -> int:
    """Check every byte and row; exit code 1 where something is wrong."""
    corpus = _open(arguments)
    problems = corpus.verify()
    facts = corpus.status()
    zh = arguments.lang == "zh"
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        found = f"发现 {len(problems)} 个问题；" if zh else f"{len(problems)} problems; "
        print(found + _remedy(corpus, problems, arguments.lang), file=sys.stderr)
    corpus.close()
    if problems:
        return 1
    counts = (facts.documents, facts.passages)
    print("一切完好：{} 篇文档、{} 个段落都在，索引与之一致。".format(*counts) if zh else
          "All is well: {} documents, {} passages are there, and the indexes agree.".format(*counts))  # fmt: skip
    return 0


def _remedy(corpus: Corpus, problems: list[str], lang: str) -> str:
    """What to run about them: a command that works with the model as it is."""
    from index.errors import ModelError, ModelMismatchError, SettingError
    from index.model_cards import DEFAULT_MODEL

    zh, options = lang == "zh", options_of(corpus.status())
    waiting = all("manage encode" in problem for problem in problems)
    command = f"python -m scripts.manage {'encode' if waiting else 'rebuild'} {options}"
    try:
        corpus.encoder()
    except ModelMismatchError:  # vectors of the old and the new files may not be mixed, but all can be made anew
        command = f"python -m scripts.manage rebuild {options}"
    except (ModelError, SettingError) as error:
        print(error.sentence(lang), file=sys.stderr)
        other = f"python -m scripts.manage rebuild {options} --model {DEFAULT_MODEL}"
        return (f"模型恢复后请运行：{command}；或换用自带的模型：{other}" if zh else
                f"once the model is back run: {command}; or go over to the bundled one: {other}")  # fmt: skip
    return f"请运行：{command}" if zh else f"run: {command}"


def rebuild(arguments: argparse.Namespace) -> int:
    """Make passages and indexes anew, with another model if asked."""
    corpus = _open(arguments)
    with Bars(arguments.lang) as progress:
        corpus.rebuild(model=arguments.model, progress=progress)
    facts = corpus.status()
    corpus.close()
    counts = (facts.documents, facts.passages, facts.model)
    print("已重建：{} 篇文档、{} 个段落，模型 {}。".format(*counts) if arguments.lang == "zh" else
          "Rebuilt: {} documents, {} passages, model {}.".format(*counts))  # fmt: skip
    return 0


def encode(arguments: argparse.Namespace) -> int:
    """Embed the passages that wait for their vectors, because the model could not be had when they were added."""
    corpus = _open(arguments)
    with Bars(arguments.lang) as progress:
        before = corpus.status().pending
        corpus.catch_up(progress=progress)
        done = before - corpus.status().pending
    corpus.close()
    print(f"已计算 {done} 个段落的向量。" if arguments.lang == "zh" else f"Embedded {done} passages.")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove documents by id; exit code 2 where none of them exists."""
    corpus = _open(arguments)
    count = corpus.remove(arguments.ids)
    corpus.close()
    print(f"已删除 {count} 篇文档。" if arguments.lang == "zh" else f"Removed {count} documents.")
    return 0 if count else 2


def keys(arguments: argparse.Namespace) -> int:
    """Make, list and revoke API keys."""
    from service.keys import create_key, list_keys, revoke_key
    from service.logs import visible

    zh = arguments.lang == "zh"
    if arguments.what == "create":
        key, secret = create_key(arguments.data, arguments.scope, arguments.note)
        print(f"密钥 {key.id}（{key.scope}），只显示这一次：" if zh else f"Key {key.id} ({key.scope}), shown only now:")
        print(secret)
    elif arguments.what == "revoke":
        key = revoke_key(arguments.data, arguments.id)
        print(f"已作废密钥 {key.id}。" if zh else f"Revoked key {key.id}.")
    else:
        for key in list_keys(arguments.data):
            print(visible(f"{key.id}  {key.scope:<7}{key.created}  {key.note}"))
    return 0


def queries(arguments: argparse.Namespace) -> int:
    """Report what was searched for, where XUNZHANG_QUERY_LOG kept it: most often, in vain, and slowest."""
    from service.query_log import report

    found = report(arguments.data, limit=arguments.limit)
    if arguments.json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return 0
    zh = arguments.lang == "zh"
    if not found.searches:
        print("还没有查询记录；以 XUNZHANG_QUERY_LOG=1 运行服务即开始记录。" if zh else
              "No searches are recorded; a server run with XUNZHANG_QUERY_LOG=1 records them.")  # fmt: skip
        return 0
    print(f"共 {found.searches} 次搜索" if zh else f"{found.searches} searches")
    lists = {
        ("最常搜索", "Most frequent"): found.frequent,
        ("没有结果", "Without a hit"): found.without_hits,
        ("最慢", "Slowest"): found.slow,
    }
    for title, asked in lists.items():
        print(f"\n{title[0] if zh else title[1]}")
        for one in asked:
            print(f"{one.times:>6} x {one.total:>6} {'条' if zh else 'hits'} {one.slowest:>8.1f} ms  {one.query}")
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(prog="python -m scripts.manage", description="Look after an index.")
    actions = made.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, does: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = (does.__doc__ or "").strip()
        shared = parser(f"manage {name}", text)
        added = actions.add_parser(name, parents=[shared], add_help=False, help=text, description=text)
        added.set_defaults(does=does)
        return added

    action("status", status).add_argument("--json", action="store_true", help="print one JSON object")
    action("verify", verify)
    add_model(action("rebuild", rebuild))
    action("encode", encode)
    action("remove", remove).add_argument("ids", nargs="+", metavar="ID", help="document ids")
    add_actions(action)
    asked = action("queries", queries)
    asked.add_argument("--limit", type=int, default=20, metavar="N", help="length of each list (default: 20)")
    asked.add_argument("--json", action="store_true", help="print one JSON object")
    of_keys = action("keys", keys).add_subparsers(dest="what", metavar="create|list|revoke")
    # The settings of every command may stand after the last word too; left out there, they are those before it.
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    again.add_argument("--data", type=Path, metavar="DIR", help="data directory")
    again.add_argument("--engine", metavar="E", help="keys lie in the data directory, whatever the engine")
    again.add_argument("--lang", choices=("zh", "en"), help="language of messages")
    create = of_keys.add_parser("create", parents=[again], help="make a key and show it once")
    create.add_argument("--scope", choices=("search", "admin"), default="search", help="what the key may do")
    create.add_argument("--note", default="", help="what the key is for")
    of_keys.add_parser("list", parents=[again], help="list the keys")
    of_keys.add_parser("revoke", parents=[again], help="forget a key").add_argument("id", metavar="ID")
    return made


if __name__ == "__main__":
    run(lambda arguments: int(arguments.does(arguments)), arguments())
