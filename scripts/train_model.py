"""Train the bundled compact model from the public files that index/models/compact/README.md names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from index.errors import XunzhangError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(prog="python -m scripts.train_model", description=__doc__)
    command.add_argument("--data", type=Path, default=Path("../shared/data/train"), help="folder of the training files")
    command.add_argument("--out", type=Path, default=Path("index/models/compact"), help="where the model goes")
    command.add_argument("--work", type=Path, required=True, help="folder for what the stages make; kept for a resume")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--tokens", type=int, help="size of the vocabulary")
    command.add_argument("--latin", type=int, help="how many of the tokens may be English")
    command.add_argument("--dimension", type=int, help="length of a vector")
    command.add_argument("--teacher", choices=("minilm", "random"), help="who gives the first vectors")
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch", type=int, help="pairs in a step")
    command.add_argument("--rate", type=float, help="learning rate")
    command.add_argument("--threads", type=int, help="threads for torch; the result depends on their number")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = vars(parser().parse_args(arguments))
    data, out, work = (options.pop(name) for name in ("data", "out", "work"))
    try:
        _train(data, out, work, {name: value for name, value in options.items() if value is not None})
    except (XunzhangError, ValueError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, XunzhangError) else 2
    return 0


def _train(data: Path, out: Path, work: Path, given: dict[str, int | float | str]) -> None:
    # Imported here, so that --help and a wrong folder are answered at once.
    from index.training.sources import require_data

    require_data(data)
    from index.training.pipeline import Settings, train_model

    train_model(data.resolve(), out.resolve(), work.resolve(), Settings().changed(given))
    print(f"The model is in {out}.")


if __name__ == "__main__":
    sys.exit(main())
