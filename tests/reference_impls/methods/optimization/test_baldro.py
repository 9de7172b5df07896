from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.methods.optimization.baldro import BalDRO, soft_maximum
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, npo_losses

LOSSES = st.lists(st.floats(-50, 50), min_size=2, max_size=6)


def test_the_soft_maximum_of_two_is_the_one_worked_out_by_hand() -> None:
    losses = torch.tensor([1.0, 3.0], requires_grad=True)
    value = soft_maximum(losses, 2.0)
    value.backward()
    assert value.item() == pytest.approx(2.240229, abs=1e-6)  # 2 log((e^.5 + e^1.5) / 2)
    assert losses.grad is not None
    assert losses.grad.tolist() == pytest.approx([0.268941, 0.731059], abs=1e-6)  # softmax of .5 and 1.5


@given(LOSSES, st.floats(0.1, 20), st.randoms())
def test_no_mixture_is_worse_and_the_one_with_its_weights_is_as_bad(values: list[float], price: float, chance) -> None:  # type: ignore[no-untyped-def]
    losses = np.array(values)
    supremum = soft_maximum(torch.tensor(values, dtype=torch.float64), price).item()

    def priced(weights: np.ndarray) -> float:
        known = weights[weights > 0]
        return float(weights @ losses - price * (known * np.log(known * len(losses))).sum())

    worst = np.exp((losses - losses.max()) / price)
    assert priced(worst / worst.sum()) == pytest.approx(supremum, abs=1e-8)
    other = np.array([chance.random() + 1e-9 for _ in values])
    assert priced(other / other.sum()) <= supremum + 1e-9
    assert losses.mean() - 1e-9 <= supremum <= losses.max() + 1e-9


def test_a_dear_price_gives_the_mean_and_a_low_one_the_largest() -> None:
    losses = torch.tensor([1.0, 2.0, 6.0])
    assert soft_maximum(losses, 1e5).item() == pytest.approx(3.0, abs=1e-2)
    assert soft_maximum(losses, 1e-3).item() == pytest.approx(6.0, abs=1e-2)
    assert soft_maximum(losses, -1e-3).item() == pytest.approx(1.0, abs=1e-2)


def test_a_group_is_of_those_that_are_remembered_best() -> None:
    losses, nll = torch.tensor([5.0, 6.0, 7.0, 8.0]), torch.tensor([0.3, 0.1, 2.0, 0.2])
    assert BalDRO(variant="group").worst(losses, nll).item() == 7.0
    assert BalDRO(variant="group", share=1.0).worst(losses, nll).item() == 6.5
    assert BalDRO(variant="group", share=0.1).worst(losses, nll).item() == 6.0


def test_the_loss_of_a_model_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    reference = torch.cat(tiny.pair_logprobs(data.forget)).clone()
    batch = Batch(replace(fresh.encode(data.forget), reference=reference), fresh.encode(data.retain), None)
    with torch.no_grad():
        for weight in fresh.model.parameters():
            weight.mul_(1.05)
    now, before = (torch.stack([one.sum() for one in model.pair_logprobs(data.forget)]) for model in (fresh, tiny))
    losses = npo_losses(now, before, 0.5).double().numpy()
    kept = np.mean([float(-one.mean()) for one in fresh.pair_logprobs(data.retain)])
    expected = 0.7 * np.log(np.mean(np.exp((losses - losses.max()) / 0.7))) + losses.max() + 2 * kept
    value = BalDRO(beta=0.5, temperature=0.7, retain_weight=2.0).loss(fresh, batch)
    assert value.item() == pytest.approx(float(expected), rel=1e-4)


def test_the_answers_go_more_evenly_than_with_the_codes_sign(memorized: LanguageModel, data: UnlearningData) -> None:
    before = torch.stack([one.sum() for one in memorized.pair_logprobs(data.forget)])

    def spread(variant: str) -> float:
        model = memorized.copy()
        run = Run(Recipe(learning_rate=3e-4, steps=12, batch_size=len(data.forget)))
        BalDRO(variant=variant, retain_weight=0.0).unlearn(model, data, run)
        after = torch.stack([one.sum() for one in model.pair_logprobs(data.forget)])
        assert bool((after < before).all())
        return float((after - before).std())

    assert spread("continuous") < 0.8 * spread("released")
