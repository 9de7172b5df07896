from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impls.toolkit import outlier_scores
from reference_impls.toolkit.outliers import expected_depth


@pytest.mark.parametrize(("count", "depth"), [(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.207392), (256, 10.244770)])
def test_the_depth_of_a_random_tree_is_that_of_the_papers_formula(count: int, depth: float) -> None:
    assert expected_depth(count) == pytest.approx(depth, abs=1e-5)


def test_two_states_that_differ_are_alone_after_one_cut_and_equal_ones_never() -> None:
    assert outlier_scores(torch.tensor([[0.0, 1.0], [0.0, 3.0]]), random.Random(0)).tolist() == pytest.approx([0.5] * 2)
    # Equal states end at the root, and what is missing is added: the same mean depth as in a tree that parts all.
    assert outlier_scores(torch.ones(9, 3), random.Random(0)).tolist() == pytest.approx([0.5] * 9)


@settings(max_examples=10)
@given(st.integers(0, 99), st.integers(0, 11))
def test_what_stands_apart_comes_first_and_the_variance_falls(seed: int, place: int) -> None:
    states = torch.from_numpy(np.random.default_rng(seed).normal(size=(12, 4))).float()
    states[place] += 30
    scores = outlier_scores(states, random.Random(seed))
    assert int(scores.argmax()) == place
    assert scores.min() > 0
    assert scores.max() < 1
    kept = np.delete(states.numpy(), place, axis=0)
    assert kept.var(axis=0, ddof=1).sum() < states.numpy().var(axis=0, ddof=1).sum()


def test_depths_are_those_of_trees_that_are_grown_by_hand() -> None:
    """Three points on a line: 0, 1 and 10. The first cut parts 10 from the rest in nine cases of ten."""
    scores = outlier_scores(torch.tensor([[0.0], [1.0], [10.0]]), random.Random(0))
    depths = -np.log2(scores.numpy()) * 1.207392
    assert depths == pytest.approx([1.9, 2.0, 1.1], abs=0.1)
