"""Training data in parts that share no subject, which hang on the subjects alone: deleting one moves no other."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from reference_impls.toolkit.data import Pair


def place_of(pair: Pair, shards: int, slices: int = 1) -> tuple[int, int]:
    """Which shard a pair belongs to, and which slice of it: that of its subject, whatever other pairs there are."""
    rest, shard = divmod(zlib.crc32(pair.about.encode()), shards)
    return shard, rest % slices


def sharded(pairs: Iterable[Pair], shards: int) -> list[list[Pair]]:
    r"""The shards $\mathcal D^{(1)}, \dots, \mathcal D^{(S)}$, each in the order given."""
    return [whole for (whole,) in sliced(pairs, shards, 1)]


def sliced(pairs: Iterable[Pair], shards: int, slices: int) -> list[list[list[Pair]]]:
    r"""The slices $\mathcal D^{(k, 1)}, \dots, \mathcal D^{(k, R)}$ of each shard, each in the order given."""
    parts: list[list[list[Pair]]] = [[[] for _ in range(slices)] for _ in range(shards)]
    for pair in pairs:
        shard, place = place_of(pair, shards, slices)
        parts[shard][place].append(pair)
    return parts
