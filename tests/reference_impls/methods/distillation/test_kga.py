from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import RETAIN_LOGITS, RETAIN_REFERENCE, RETAIN_TARGETS, gradient_of, invented_pairs, token_logits

from reference_impls.methods.distillation.kga import KGA, gap, kga_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, mean_kl, new_pairs

ROW = (-0.105435, -0.105435, 0.210869)


@pytest.mark.parametrize(
    ("new_gap", "loss", "row"), [(0.3, 0.201114, ROW), (0.05, 0.048886, tuple(-one for one in ROW))]
)
def test_the_gap_is_widened_until_it_is_that_of_new_data_and_closed_beyond(
    new_gap: float, loss: float, row: tuple[float, ...]
) -> None:
    unlearned, informed = (
        token_logits(RETAIN_LOGITS, RETAIN_TARGETS),
        token_logits(RETAIN_REFERENCE, RETAIN_TARGETS),
    )
    value = kga_loss(mean_kl(informed, unlearned), new_gap, torch.tensor(0.0), 0.1)
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-5)
    assert_allclose(gradient_of(unlearned.logits), [row], atol=1e-5)


def test_the_retain_divergence_is_weighted() -> None:
    value = kga_loss(torch.tensor(0.098886), 0.3, torch.tensor(0.05), 0.1)
    assert value.item() == pytest.approx(0.206114, abs=1e-6)


def test_the_gap_is_the_mean_over_all_pairs_whatever_the_batches(tiny: LanguageModel, learned: LanguageModel) -> None:
    pairs = invented_pairs()
    whole = gap(learned, tiny, pairs)
    assert gap(learned, replace(tiny, batch_size=3), pairs) == pytest.approx(whole, rel=1e-4)
    assert whole > 0.5
    assert gap(tiny, tiny, pairs) == pytest.approx(0.0, abs=1e-6)
    assert gap(tiny, learned, pairs) != pytest.approx(whole, rel=0.05)


def test_unlearning_takes_the_forget_set_to_the_gap_of_new_data(learned: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=40, batch_size=8)
    before = learned.pair_logprobs(data.forget)
    unlearned = KGA(retain_weight=1.0).unlearn(learned.copy(), data, Run(recipe, seed=1))
    run = Run(recipe, seed=1)
    new = new_pairs(data.retain, len(data.forget), run.rng)
    informed = run.finetune(learned.copy(), data.forget)
    wanted = gap(run.finetune(learned.copy(), new), learned, new)
    assert gap(informed, learned, data.forget) < 0.1 * wanted
    assert gap(informed, unlearned, data.forget) == pytest.approx(wanted, rel=0.4)
    assert torch.cat(unlearned.pair_logprobs(data.forget)).mean() < torch.cat(before).mean() - 0.3
    assert torch.cat(unlearned.pair_logprobs(data.retain)).mean() > -0.3
