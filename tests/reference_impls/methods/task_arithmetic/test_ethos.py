from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.ethos import Ethos, filtered
from reference_impls.methods.task_arithmetic.lora_negation import LoRANegation
from reference_impls.toolkit import LanguageModel, Method, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=2)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (0.0, [[1.0, 0.0], [0.0, 0.9]]),
        (0.03, [[1.0, 0.0], [0.0, 0.9]]),  # 0.05 of 0.95 counts
        (0.1, [[0.95, 0.0], [0.0, 0.95]]),  # and here it does not
        (1.01, [[0.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_small_entries_in_the_weights_directions_are_dropped(threshold: float, expected: list[list[float]]) -> None:
    weight = torch.tensor([[2.0, 1.0], [1.0, 2.0]])  # its directions are (1, 1) and (1, -1)
    assert_allclose(filtered(weight, torch.diag(torch.tensor([1.0, 0.9])), threshold), expected, atol=1e-6)


@given(st.integers(1, 6), st.integers(1, 6), st.floats(0, 1), st.integers(0, 2**16))
def test_as_computed_with_other_means(rows: int, columns: int, threshold: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    weight, update = generator.normal(size=(rows, columns)), generator.normal(size=(rows, columns))
    _, left = np.linalg.eigh(weight @ weight.T)  # the singular directions, in another order and with other signs
    _, right = np.linalg.eigh(weight.T @ weight)
    entries = np.array([[left[:, i] @ update @ right[:, j] for j in range(columns)] for i in range(rows)])
    gap = np.abs(np.abs(entries) - threshold * np.abs(entries).max()).min()
    expected = np.zeros_like(update)
    for i in range(rows):
        for j in range(columns):
            if abs(entries[i, j]) >= threshold * np.abs(entries).max():
                expected += entries[i, j] * np.outer(left[:, i], right[:, j])
    found = filtered(torch.tensor(weight).float(), torch.tensor(update).float(), threshold)
    assert found.norm() <= np.linalg.norm(update) * (1 + 1e-5)
    null_space = abs(rows - columns) > 1  # where directions without a singular value are as one likes
    if gap > 1e-3 and not null_space:
        assert_allclose(found, expected, atol=1e-3)


def test_without_a_threshold_it_is_the_negated_module(tiny: LanguageModel, data: UnlearningData) -> None:
    negated = LoRANegation(scale=0.7, alpha=8.0).unlearn(tiny.copy(), data, Run(RECIPE, seed=2))
    whole = Ethos(scale=0.7, threshold=0.0).unlearn(tiny.copy(), data, Run(RECIPE, seed=2))
    for one, other in zip(negated.model.parameters(), whole.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-5)


@pytest.mark.parametrize("settings", [{"scale": 0.0}, {"threshold": 1.01}])
def test_no_scale_or_nothing_that_is_large_enough_changes_nothing(
    settings: dict[str, float], fresh: LanguageModel, data: UnlearningData
) -> None:
    before = fingerprint(fresh.model)
    unlearned = Ethos(**settings).unlearn(fresh, data, Run(RECIPE))  # type: ignore[arg-type]
    assert fingerprint(unlearned.model) == before
    assert all(parameter.requires_grad for parameter in unlearned.model.parameters())


def test_the_higher_the_threshold_the_less_is_taken_away_from_forget_and_retain_answers(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=12, batch_size=2)

    def lost(method: Method) -> list[float]:
        unlearned = method.unlearn(learned.copy(), data, Run(recipe))
        return [mean_logprob(learned, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]

    plain, some, most = (lost(Ethos(scale=4.0, threshold=threshold)) for threshold in (0.0, 0.1, 0.5))
    assert plain[0] > 0.3  # it forgets
    assert plain[1] > some[1] > most[1]
    assert plain[0] > most[0]
