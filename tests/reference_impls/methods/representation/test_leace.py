from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, hooks, mean_logprob

from reference_impls.methods.representation.leace import LEACE, Eraser, concepts
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData

DOUBLE = torch.float64


def _projection(eraser: Eraser) -> np.ndarray:
    return np.asarray(np.eye(len(eraser.mean)) - (eraser.left @ eraser.right).numpy())


def _eraser(covariance: np.ndarray, cross: np.ndarray, mean: np.ndarray | None = None) -> Eraser:
    mean = np.zeros(len(covariance)) if mean is None else mean
    return Eraser.fit(torch.from_numpy(mean), torch.from_numpy(covariance), torch.from_numpy(cross), 1e-9)


def test_the_projection_is_the_hand_computed_one() -> None:
    covariance, cross = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0], [0.0]])
    projection = _projection(_eraser(covariance, cross))
    assert_allclose(projection, np.array([[0.0, 0.5], [0.0, 1.0]]), atol=1e-9)
    assert np.trace(projection @ covariance @ projection.T) == pytest.approx(2.5)
    eraser = _eraser(covariance, cross, np.array([1.0, 1.0]))
    assert_allclose(eraser(torch.tensor([[3.0, 2.0]])), [[1.5, 2.0]], atol=1e-6)


def test_with_the_identity_it_is_the_removal_of_one_direction() -> None:
    assert_allclose(_projection(_eraser(np.eye(2), np.array([[0.6], [0.8]]))), [[0.64, -0.48], [-0.48, 0.36]])


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_it_is_the_least_change_that_leaves_no_covariance(seed: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5)
    told = np.eye(kinds + 1)[rng.integers(kinds + 1, size=40)][:, :kinds]
    mean, centred, labels = states.mean(axis=0), states - states.mean(axis=0), told - told.mean(axis=0)
    covariance, cross = centred.T @ centred / 40, centred.T @ labels / 40
    eraser = _eraser(covariance, cross, mean)
    projection = _projection(eraser)
    assert_allclose(projection @ cross, 0, atol=1e-8)
    assert_allclose(projection @ projection, projection, atol=1e-7)
    assert np.linalg.matrix_rank(np.eye(5) - projection, tol=1e-6) <= kinds
    left = mean + centred @ projection.T
    # In closed form without square roots: Σ_XZ (Σ_XZᵀ Σ⁻¹ Σ_XZ)⁺ Σ_XZᵀ Σ⁻¹ is what is taken away.
    inverse = np.linalg.inv(covariance)
    taken = cross @ np.linalg.pinv(cross.T @ inverse @ cross) @ cross.T @ inverse
    assert_allclose(np.eye(5) - projection, taken, atol=1e-6)
    # The same with any other guarded map takes no less.
    other = np.eye(5) - cross @ np.linalg.pinv(cross)
    assert np.square(states - left).sum() <= np.square(centred - centred @ other.T).sum() + 1e-6


def test_small_singular_values_are_left() -> None:
    cross = torch.diag(torch.tensor([0.5, 0.001], dtype=DOUBLE))
    eraser = Eraser.fit(torch.zeros(2, dtype=DOUBLE), torch.eye(2, dtype=DOUBLE), cross, 0.01)
    assert_allclose(_projection(eraser), [[0, 0], [0, 1]], atol=1e-9)


def test_each_subject_is_a_concept_or_all_are_one(data: UnlearningData) -> None:
    assert [kind for _, kind in concepts(data, "subject")] == [0, 1, 2] + [None] * 5
    assert [kind for _, kind in concepts(data, "membership")] == [0, 0, 0] + [None] * 5


def _states(model: LanguageModel, data: UnlearningData, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, d) states behind a block at all tokens, and (N,) whether they are of a text to forget."""
    rows, told = [], []
    for known, pairs in ((1, data.forget), (0, data.retain)):
        batch = model.encode(pairs)
        with torch.no_grad():
            (states,) = model.outputs(batch, [model.blocks[layer]])
        rows.append(states[batch.attention_mask.bool()].double().numpy())
        told += [known] * len(rows[-1])
    return np.concatenate(rows), np.array(told)


def _read(states: np.ndarray, told: np.ndarray) -> float:
    """The share of the variance that the best linear probe explains which does not read rounding."""
    design = np.column_stack([states, np.ones(len(states))])
    found = design @ np.linalg.lstsq(design, told, rcond=1e-4)[0]
    return float(1 - np.square(told - found).mean() / told.var())


def test_no_linear_probe_reads_the_concept_any_more(memorized: LanguageModel, data: UnlearningData) -> None:
    scrubbed = LEACE(concept="membership").unlearn(memorized.copy(), data, Run(Recipe()))
    assert list(scrubbed.erasers) == [0, 1, 2, 3]
    for layer in (0, 3):
        states, told = _states(memorized, data, layer)
        # The states behind all erasers but the layer's own, and then with it.
        before = LEACE.restore(memorized, Kept(scrubbed.to_json(), scrubbed.tensors()))
        eraser = before.erasers.pop(layer)
        given, _ = _states(before.changed(), data, layer)
        left = eraser(torch.from_numpy(given)).numpy()
        assert _read(states, told) > 0.5
        assert abs(_read(left, told)) < 1e-3


def test_erasing_whom_a_text_is_about_takes_answers_along_and_membership_does_not(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model = memorized.copy()
    subject, member = (LEACE(concept=one).unlearn(model, data, Run(Recipe())) for one in ("subject", "membership"))
    assert fingerprint(model.model) == fingerprint(memorized.model)
    before = mean_logprob(memorized, data.forget)
    assert mean_logprob(subject, data.forget) < mean_logprob(member, data.forget) < before + 1e-6
    assert hooks(model.model) == hooks(memorized.model)
    again = LEACE.restore(model, Kept(subject.to_json(), subject.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(subject, data.forget), abs=1e-5)
    assert again.generate([data.forget[0].prompt], 6) == subject.generate([data.forget[0].prompt], 6)
