"""Parts of training data that share no subject."""

from __future__ import annotations

import zlib
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import NAMES, invented_pairs

from reference_impls.toolkit import Pair, place_of, sharded, sliced


def test_shards_and_slices_are_disjoint_and_hold_everything_in_order() -> None:
    pairs = invented_pairs()
    for parts in (sharded(pairs, 3), list(chain.from_iterable(sliced(pairs, 2, 3)))):
        assert sorted(chain.from_iterable(parts), key=pairs.index) == pairs
        assert all(part == sorted(part, key=pairs.index) for part in parts)
    assert [list(chain.from_iterable(slices)) for slices in sliced(pairs, 3, 1)] == sharded(pairs, 3)


def test_a_subject_is_in_one_place_whatever_is_said_of_it() -> None:
    for name in NAMES:
        said = [Pair(f"question {number}", "answer", subject=name) for number in range(20)]
        assert {place_of(pair, 4, 3) for pair in said} == {
            (zlib.crc32(name.encode()) % 4, zlib.crc32(name.encode()) // 4 % 3)
        }
    for one in (Pair("question {}", ""), Pair("", "text {}")):
        apart = [Pair(one.prompt.format(number), one.answer.format(number)) for number in range(20)]
        assert len({place_of(pair, 4)[0] for pair in apart}) == 4


@given(st.integers(0, 7), st.integers(1, 5), st.integers(1, 5))
def test_deleting_one_moves_no_other(row: int, shards: int, slices: int) -> None:
    pairs = invented_pairs()
    left = [pair for pair in pairs if pair != pairs[row]]
    without = [
        [[pair for pair in part if pair != pairs[row]] for part in shard] for shard in sliced(pairs, shards, slices)
    ]
    assert sliced(left, shards, slices) == without
