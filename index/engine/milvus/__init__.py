"""The engine for archives that have outgrown one machine: everything that matters lives in Milvus.

Several processes, on several machines, may work on one Milvus: each is stateless but for its data directory with
API keys and, where the archive was adapted, its model. Files, from the bottom up:

    address.py      ``milvus:...`` taken apart
    client.py       calls with time limits; what goes wrong becomes a sentence
    layout.py       the collections and their fields
    lease.py        one writer at a time, across machines
    weights.py      BM25 as sparse vectors
    journal.py      transactions: what is safe, and what a crash left
    documents.py    the truth: documents, passages, originals
    files.py        what is known of the files that documents were read from
    families.py     which texts are repeats of each other
    editions.py     derived rows: vectors, BM25 weights, filters; and in how many passages each token occurs
    publishing.py   bringing an edition in step with the truth
    view.py         searching a published generation
    engine.py       all of it behind ``index.engine.Engine``
"""
