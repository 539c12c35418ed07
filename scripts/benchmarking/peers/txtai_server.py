"""txtai as its documentation serves it: a hybrid index with contents, and its API over it.

Runs alone in the peers' environment: ``txtai_server.py FOLDER MODEL PORT``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

if __name__ == "__main__":
    from txtai import Embeddings

    folder, model, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    settings = {"path": model, "method": "sentence-transformers", "hybrid": True, "content": True}
    embeddings = Embeddings(settings)
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    began = perf_counter()
    # A text of which the model knows nothing has no direction; txtai divides by its length, 0, and ends.
    known = np.load(folder / "vectors.npy").any(axis=1)
    embeddings.index((place, text, None) for place, text in enumerate(texts) if known[place])
    embeddings.save(str(folder / "txtai"))
    print(json.dumps({"seconds": perf_counter() - began}), flush=True)  # for the benchmark
    embeddings.close()
    config = folder / "txtai.yml"
    api = {"path": str(folder / "txtai"), "writable": False, "embeddings": settings}
    config.write_text(json.dumps(api), encoding="utf-8")  # JSON is YAML
    os.environ["CONFIG"] = str(config)
    import uvicorn

    uvicorn.run("txtai.api:app", host="127.0.0.1", port=port, log_level="warning")
