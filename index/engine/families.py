"""Which new texts join which families of repeats; where they are kept is the engine's affair.

A text is known by the first 8 bytes of its passages' key. Texts meet where they share a band of their signatures
(``index.repeats``); those that meet are compared, and families join if all of one repeat all of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from index.repeats import are_repeats, bands_of

_SIGNED = 4_000  # texts signed at once
_CROWD = 64  # texts that may meet in one band; of a form filled thousands of times more would cost without end
_FAMILY = 400  # pairs compared before two families are joined; larger ones stay as they are


class Comparison:
    """Compares new texts with each other and with those that are kept.

    Args:
        meeting: Gives the texts kept under each of some bands.
        members: Gives the kept texts of a text's family, itself alone where it has no repeats.
        text: Gives a kept text by its key, ``None`` where no passage has it any more.

    Attributes:
        bands: Bands of each new text that it has to be kept under, 0 for none.
        families: Texts whose family has become another, with its smallest text.
    """

    def __init__(
        self,
        meeting: Callable[[Sequence[int]], Mapping[int, list[bytes]]],
        members: Callable[[bytes], list[bytes]],
        text: Callable[[bytes], str | None],
    ) -> None:
        self._meeting = meeting
        self._members_of = members
        self._text_of = text
        self._members: dict[bytes, list[bytes]] = {}  # families looked up while comparing
        self.bands: dict[bytes, list[int]] = {}
        self.families: dict[bytes, bytes] = {}

    def compare(self, texts: dict[bytes, str]) -> None:
        """Compare new texts, given by their keys; the dictionary takes up others that are looked at."""
        keys = list(texts)
        bands = [
            row
            for start in range(0, len(keys), _SIGNED)
            for row in bands_of([texts[key] for key in keys[start : start + _SIGNED]]).tolist()
        ]
        meeting = dict(self._meeting(sorted({value for row in bands for value in row if value})))
        for key, row in zip(keys, bands, strict=True):
            met: dict[bytes, None] = {}  # a set that keeps its order
            fresh = [0] * len(row)
            for place, value in enumerate(row):
                if not value:
                    continue
                crowd = meeting.setdefault(value, [])
                met.update(dict.fromkeys(crowd))
                if len(crowd) < _CROWD and key not in crowd:
                    crowd.append(key)
                    fresh[place] = value
            self.bands[key] = fresh
            met.pop(key, None)
            for other in met:
                self._meet(key, other, texts)

    def _meet(self, one: bytes, other: bytes, texts: dict[bytes, str]) -> None:
        """Join the families of two texts if every text of one is a repeat of every text of the other.

        Complete linkage: one text that leaves the numbers out must not bring together those that differ in them.
        """
        ours, theirs = self._family(one), self._family(other)
        if one in theirs or len(ours) * len(theirs) > _FAMILY:
            return
        for first, second in product(ours, theirs):
            mine, its = self._text(first, texts), self._text(second, texts)
            if mine is not None and its is not None and not are_repeats(mine, its):
                return
        if self._text(other, texts) is None:
            return
        joined = sorted((*ours, *theirs))
        self.families.update(dict.fromkeys(joined, joined[0]))
        self._members.update(dict.fromkeys(joined, joined))

    def _family(self, text: bytes) -> list[bytes]:
        if text not in self._members:
            members = self._members_of(text)
            self._members.update(dict.fromkeys(members, members))
        return self._members[text]

    def _text(self, key: bytes, texts: dict[bytes, str]) -> str | None:
        if key not in texts:
            found = self._text_of(key)
            if found is None:
                return None
            texts[key] = found
        return texts[key]
