"""What one writes in an afternoon: a model, an exact FAISS index, the texts in a list, and Flask over them.

Runs alone in the peers' environment: ``plain_flask.py FOLDER MODEL PORT``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np
from flask import Flask, request
from sentence_transformers import SentenceTransformer
from waitress import serve

folder, model, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
vectors = np.load(folder / "vectors.npy")
encoder = SentenceTransformer(model, device="cpu")
began = perf_counter()
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
app = Flask(__name__)


@app.get("/search")
def search() -> list[dict[str, Any]]:
    """The nearest passages."""
    vector = encoder.encode([request.args["q"]], normalize_embeddings=True)
    scores, found = index.search(vector, int(request.args.get("limit", 10)))
    return [
        {"id": int(place), "score": float(score), "text": texts[place]}
        for place, score in zip(found[0], scores[0], strict=True)
    ]


if __name__ == "__main__":
    print(json.dumps({"seconds": perf_counter() - began}), flush=True)  # for the benchmark
    serve(app, host="127.0.0.1", port=port, threads=8)
