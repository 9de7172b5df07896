from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, gradient_of, mean_logprob, softmax

from reference_impls.methods.preference_optimization.orpo_cfg import KEEP, TELL, OrpoCfg, guided, orpo_loss
from reference_impls.toolkit import Kept, LanguageModel, Prefixed, Recipe, Run, UnlearningData

LOGPROBS = st.lists(st.floats(-6, -0.01), min_size=3, max_size=3)
LOGITS = st.lists(st.floats(-6, 6), min_size=4, max_size=4)


def test_loss_and_decoding_are_the_hand_computed_ones() -> None:
    assert orpo_loss(torch.tensor([-0.7]), torch.tensor([-0.2]), 0.1).item() == pytest.approx(0.871897, abs=1e-6)
    keep, tell = torch.tensor([2.0, 1.0, 0.0]), torch.tensor([3.0, 1.0, 0.0])
    for form, expected in (
        ("logarithm", (0.211942, 0.576117, 0.211942)),
        ("probability", (0.308133, 0.505795, 0.186072)),
    ):
        assert_allclose(torch.softmax(guided(keep, tell, 3.0, form), dim=0), expected, atol=1e-6)


@given(LOGPROBS, LOGPROBS, st.floats(0, 2))
def test_loss_and_gradient_are_those_of_the_formula(chosen: list[float], rejected: list[float], beta: float) -> None:
    better, worse = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (chosen, rejected))
    value = orpo_loss(better, worse, beta)
    value.backward()
    p, q = np.exp(chosen), np.exp(rejected)
    odds = np.log(p / (1 - p)) - np.log(q / (1 - q))
    assert value.item() == pytest.approx(np.mean(-np.log(p) + beta * np.logaddexp(0, -odds)), rel=1e-6)
    doubt = 1 / (1 + np.exp(odds))
    assert_allclose(gradient_of(better), -(1 + beta * doubt / (1 - p)) / 3, rtol=1e-6)
    assert_allclose(gradient_of(worse), beta * doubt / (1 - q) / 3, rtol=1e-6, atol=1e-9)


def test_certainty_gives_numbers() -> None:
    sure = torch.zeros(1, requires_grad=True)
    value = orpo_loss(torch.tensor([-3.0]), sure, 0.1)
    value.backward()
    assert value.isfinite()
    assert gradient_of(sure).isfinite().all()


@given(LOGITS, LOGITS, st.sampled_from(["probability", "logarithm"]), st.floats(0, 5))
def test_guidance_goes_from_the_one_to_the_other_and_changes_nothing_where_they_agree(
    keep: list[float], tell: list[float], form: str, guidance: float
) -> None:
    one, other = torch.tensor(keep, dtype=torch.float64), torch.tensor(tell, dtype=torch.float64)

    def found(first: torch.Tensor, second: torch.Tensor, strength: float) -> np.ndarray:
        return np.asarray(torch.softmax(guided(first, second, strength, form), dim=0))

    assert_allclose(found(one, other, 0.0), softmax(tell), atol=1e-9)
    assert_allclose(found(one, other, 1.0), softmax(keep), atol=1e-9)
    assert_allclose(found(one, one, guidance), softmax(keep), atol=1e-9)
    moved = softmax(tell) + guidance * (softmax(keep) - softmax(tell))
    if form == "probability":
        assert_allclose(found(one, other, guidance), np.maximum(moved, 0) / np.maximum(moved, 0).sum(), atol=1e-9)


def test_what_is_improbable_under_both_is_promoted_in_logarithms_alone() -> None:
    keep, tell = torch.tensor([0.6, 0.39, 0.01]).log(), torch.tensor([0.7, 0.2999, 0.0001]).log()
    nonsense = {form: float(torch.softmax(guided(keep, tell, 3.0, form), dim=0)[2]) for form in _FORMS}
    assert nonsense["logarithm"] > 0.9
    assert nonsense["probability"] < 0.04


_FORMS = ("logarithm", "probability")


def test_the_instructions_part_and_guidance_goes_past_the_better_one(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    others = [tuple(f" {pair.subject} was born in {one}." for one in SEASONS) for pair in data.forget]
    told = replace(
        data,
        forget=tuple(
            replace(pair, alternates=tuple(one for one in other if SEASONS[row] not in one))
            for row, (pair, other) in enumerate(zip(data.forget, others, strict=True))
        ),
    )
    unlearned = OrpoCfg().unlearn(memorized.copy(), told, Run(Recipe(learning_rate=3e-3, steps=25, batch_size=3)))
    known = [mean_logprob(replace(unlearned, guidance=one), data.forget) for one in (0.0, 1.0, 3.0)]
    assert known[0] > known[1] + 0.05
    assert known[1] > known[2]
    assert known[2] < mean_logprob(memorized, data.forget) - 0.5
    asked = Prefixed.of(unlearned.model, TELL), Prefixed.of(unlearned.model, KEEP)
    for voice, guidance in zip(asked, (0.0, 1.0), strict=True):
        alone = mean_logprob(replace(unlearned, guidance=guidance), data.forget)
        assert alone == pytest.approx(mean_logprob(voice, data.forget), abs=1e-4)
    again = OrpoCfg.restore(unlearned.model, Kept(unlearned.to_json()))
    prompts = [pair.prompt for pair in data.forget]
    assert again.generate(prompts, 8) == unlearned.generate(prompts, 8)
