"""Train the bundled compact model from the public files that index/models/compact/README.md names."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from index.errors import XunzhangError

CHANGEABLE = ("seed", "tokens", "latin", "dimension", "teacher", "epochs", "batch", "rate", "temperature", "most_dropped", "block", "late", "late_dropped")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(prog="python -m scripts.train_model", description=__doc__)
    command.add_argument("--data", type=Path, default=Path("../shared/data/train"), help="folder of the training files")
    command.add_argument("--out", type=Path, default=Path("index/models/compact"), help="where the model goes")
    command.add_argument("--work", type=Path, required=True, help="folder for what the stages make; kept for a resume")
    command.add_argument("--seed", type=int, help="of all that is random; 1 unless given")
    command.add_argument("--tokens", type=int, help="size of the vocabulary")
    command.add_argument("--latin", type=int, help="how many of the tokens may be English")
    command.add_argument("--dimension", type=int, help="length of a vector")
    command.add_argument("--teacher", choices=("minilm", "random"), help="who gives the first vectors")
    command.add_argument("--epochs", type=int, help="passes over the pairs")
    command.add_argument("--batch", type=int, help="pairs in a step")
    command.add_argument("--rate", type=float, help="learning rate")
    command.add_argument("--temperature", type=float, help="what the cosines are divided by in training")
    command.add_argument("--block", type=int)
    command.add_argument("--late", type=float)
    command.add_argument("--late-dropped", type=float)
    command.add_argument("--most-dropped", type=float, help="largest share of its passage's words that a query loses")
    command.add_argument("--threads", type=int, default=2, help="threads for torch; the bytes depend on their number")
    command.add_argument("--figures", type=Path, help="JSON for the card: {set: {passages, queries, ndcg@10}}")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(arguments)
    try:
        _train(options)
    except XunzhangError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


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
    train_model(options.data.resolve(), options.out.resolve(), options.work.resolve(), settings, figures, command)
    print(f"The model is in {options.out}.")


if __name__ == "__main__":
    sys.exit(main())
