"""Train the bundled compact model, or adapt it to an archive.

python -m scripts.train_model --work WORK        from the public files that index/models/compact/README.md names
python -m scripts.train_model --adapt DATA       go on training on the texts of the archive in DATA, and use that
python -m scripts.train_model --adapt DATA --undo
python -m scripts.train_model --transformer --work WORK      a small transformer on the same files; wants a GPU
python -m scripts.train_model --shapes FONT      which characters look alike, from a font such as Noto Sans CJK
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from index.errors import XunzhangError
from scripts.common import Bars, add_engine, language, options_of

CHANGEABLE = (
    "seed", "tokens", "latin", "dimension", "teacher", "epochs", "batch", "rate", "temperature", "most_dropped",
)  # fmt: skip


OF_TRANSFORMER = (
    "seed", "tokens", "latin", "width", "layers", "masked_steps", "pair_steps", "temperature", "most_dropped",
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="python -m scripts.train_model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--adapt", type=Path, metavar="DATA", help="adapt to the archive in this data directory")
    command.add_argument("--undo", action="store_true", help="with --adapt: go back to the bundled model")
    add_engine(command)
    command.add_argument("--lang", choices=("zh", "en"), default=language(), help="language of messages")
    command.add_argument("--data", type=Path, default=Path("../shared/data/train"), help="folder of the training files")
    command.add_argument("--out", type=Path, help="where the model goes (index/models/compact; WORK/transformer)")
    command.add_argument("--work", type=Path, help="folder for what the stages make; kept for a resume")
    command.add_argument("--seed", type=int, help="of all that is random; 1 unless given")
    command.add_argument("--tokens", type=int, help="size of the vocabulary")
    command.add_argument("--latin", type=int, help="how many of the tokens may be English")
    command.add_argument("--dimension", type=int, help="length of a vector")
    command.add_argument("--teacher", choices=("minilm", "random"), help="who gives the first vectors")
    command.add_argument("--epochs", type=int, help="passes over the pairs")
    command.add_argument("--batch", type=int, help="pairs in a step")
    command.add_argument("--rate", type=float, help="learning rate")
    command.add_argument("--temperature", type=float, help="what cosines are divided by")
    command.add_argument("--most-dropped", type=float, help="largest share of its passage's words that a query loses")
    command.add_argument("--transformer", action="store_true", help="train a small transformer instead of the table")
    command.add_argument("--shapes", type=Path, metavar="FONT", help="make index/models/look-alikes.txt from a font")
    command.add_argument("--width", type=int, help="with --transformer: length of a vector, a multiple of 12")
    command.add_argument("--layers", type=int, help="with --transformer: layers of the network")
    command.add_argument("--masked-steps", type=int, help="with --transformer: steps of guessing hidden words")
    command.add_argument("--pair-steps", type=int, help="with --transformer: steps over the pairs")
    command.add_argument("--threads", type=int, default=2, help="threads for torch; the bytes depend on their number")
    command.add_argument("--figures", type=Path, help="JSON for the card: {set: {passages, queries, ndcg@10}}")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(arguments)
    if options.adapt is None and options.shapes is None and (options.work is None or options.undo):
        parser().error("give --work WORK to train the bundled model, --adapt DATA [--undo], or --shapes FONT")
    try:
        if options.shapes:
            _draw(options)
        elif options.transformer:
            _train_transformer(options)
        elif options.adapt is None:
            _train(options)
        elif options.undo:
            _undo(options)
        else:
            _adapt(options)
    except XunzhangError as error:
        print(error.sentence(options.lang), file=sys.stderr)
        return error.exit_code
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _adapt(options: argparse.Namespace) -> None:
    from index.corpus import Corpus
    from index.training.adapting import adapt_corpus

    with closing(Corpus.open(options.adapt, engine=options.engine, model="compact")) as corpus:
        with Bars(options.lang) as progress:
            report = adapt_corpus(corpus, seed=options.seed or 1, progress=progress)
        name, status = corpus.model, corpus.status()
    zh = options.lang == "zh"
    counts = (report.pairs, report.items)
    print("用 {} 对文本适配；在未参与训练的 {} 句上：".format(*counts) if zh
          else "Adapted with {} pairs of texts; on {} sentences held back:".format(*counts))  # fmt: skip
    # A Chinese character takes the room of two others.
    fill, width = ("\u3000", 11) if zh else (" ", 22)
    labels = (("仅用向量，适配前", "加上字词，适配前", "仅用向量，适配后", "加上字词，适配后") if zh else
              ("vectors, before", "with words, before", "vectors, after", "with words, after"))  # fmt: skip
    print(f"{'':{fill}<{width}}{'R@10':>7}{'nDCG@10':>9}")
    for label, found in zip(labels, (*report.before, *report.after), strict=True):
        print(f"{label:{fill}<{width}}{found.recall:>7.3f}{found.ndcg:>9.3f}")
    if status.engine != "local":
        folder = Path(status.data) / name
        print(f"每台机器都要有这个模型：请把 {folder} 复制到其他机器的数据目录。" if zh else
              f"Every machine needs the model: copy {folder} into the data directories of the others.")  # fmt: skip
    undo = f"python -m scripts.train_model {options_of(status, data='--adapt')} --undo"
    print(f"索引现在使用模型 {name}；要恢复原样：{undo}" if zh else
          f"The index now uses the model {name}; to undo: {undo}")  # fmt: skip


def _undo(options: argparse.Namespace) -> None:
    from index.corpus import Corpus
    from index.training.adapting import undo

    with (
        closing(Corpus.open(options.adapt, engine=options.engine, model="compact")) as corpus,
        Bars(options.lang) as progress,
    ):
        undo(corpus, progress=progress)
    print("已恢复为自带的模型 compact。" if options.lang == "zh" else "The index uses the bundled model compact again.")


def _draw(options: argparse.Namespace) -> None:
    from index.training.shapes import write_look_alikes

    out = options.out or Path("index/models/look-alikes.txt")
    count = write_look_alikes(options.shapes, out)
    print(f"{count} characters with look-alikes are in {out}.")


def _train_transformer(options: argparse.Namespace) -> None:
    import torch

    from index.training.transformer_pipeline import TransformerSettings, train_transformer

    torch.set_num_threads(options.threads)
    given = {name: value for name in OF_TRANSFORMER if (value := getattr(options, name)) is not None}
    if options.batch is not None:
        given |= {"masked_batch": options.batch, "pair_batch": options.batch}
    out = options.out or options.work / "transformer"
    train_transformer(options.data, out, options.work, TransformerSettings().changed(given))
    print(f"The model is in {out}.")


def _train(options: argparse.Namespace) -> None:
    # Imported here, so that --help and a wrong folder are answered at once.
    from index.training.sources import require_data

    require_data(options.data)
    import torch

    from index.training.card import figures_from
    from index.training.pipeline import Settings, train_model

    torch.set_num_threads(options.threads)
    figures = figures_from(json.loads(options.figures.read_text(encoding="utf-8"))) if options.figures else []
    given = {name: value for name in CHANGEABLE if (value := getattr(options, name)) is not None}
    changes = "".join(f" --{name.replace('_', '-')} {value}" for name, value in given.items())
    command = f"python -m scripts.train_model --data DATA --work WORK --threads {options.threads}{changes}"
    settings = Settings().changed(given)
    out = options.out or Path("index/models/compact")
    train_model(options.data.resolve(), out.resolve(), options.work.resolve(), settings, figures, command)
    print(f"The model is in {out}.")


if __name__ == "__main__":
    sys.exit(main())
