from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.toolkit import by_place

SIZES = st.integers(1, 4)


@given(SIZES, SIZES, SIZES, st.integers(0, 3), st.booleans())
def test_values_lie_where_the_batch_has_its_tokens(rows: int, places: int, size: int, before: int, flat: bool) -> None:
    """Whether a module sees texts row by row or all in one, and whether something is read before them or not."""
    values = torch.randn(rows, before + places, size)
    given = values.reshape(-1, size) if flat else values
    assert torch.equal(by_place(given, (rows, places)), values[:, before:])
