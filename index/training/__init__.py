"""Training of the bundled compact model: a static Chinese-English embedding, made on two CPU cores.

Not needed to search. The stages, in the order in which ``pipeline`` runs them: ``sources`` read,
``vocabulary`` chosen, ``glosses`` distilled into a first table, ``pairs`` gathered, the table trained by
``contrastive``, ``quantise``\\ d to eight bits and described by ``card``.
"""
