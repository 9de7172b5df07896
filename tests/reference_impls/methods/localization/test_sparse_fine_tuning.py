from __future__ import annotations

from dataclasses import replace

import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.sparse_fine_tuning import SparseFineTuning
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=3)


def _moved(before: LanguageModel, after: LanguageModel) -> dict[str, torch.Tensor]:
    pairs = zip(before.model.named_parameters(), after.model.parameters(), strict=True)
    changed = {name: one != other for (name, one), other in pairs}
    return {name: mask for name, mask in changed.items() if mask.any()}


def test_what_moves_is_the_share_with_the_highest_gradients(memorized: LanguageModel, data: UnlearningData) -> None:
    """By torch alone: the loss of the forget answers, one after another, and a sort."""
    unlearned = SparseFineTuning(share=0.01).unlearn(memorized.copy(), data, Run(replace(RECIPE, weight_decay=0.5)))
    probe = memorized.copy()
    total = torch.zeros(())
    for pair in data.forget:
        batch = probe.encode([pair])
        logits = probe.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits, batch.labels[0, 1:]) / len(data.forget)
    total.backward()
    inside = [(n, w.grad) for n, w in probe.model.named_parameters() if ".layers." in n and w.ndim == 2]
    sizes = torch.cat([grad.abs().flatten() for _, grad in inside if grad is not None])
    bound = sizes.sort(descending=True).values[round(0.01 * len(sizes)) - 1]
    moved = _moved(memorized, unlearned)
    expected = {name: grad.abs() >= bound * 0.999 for name, grad in inside if grad is not None}
    assert moved.keys() <= expected.keys()
    assert all(bool((mask <= expected[name]).all()) for name, mask in moved.items())
    assert sum(int(mask.sum()) for mask in moved.values()) >= 0.95 * round(0.01 * len(sizes))


def test_it_forgets_in_few_weights_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    unlearned = SparseFineTuning(share=0.01, forget_weight=0.3).unlearn(memorized.copy(), data, Run(RECIPE))
    fell = mean_logprob(memorized, data.forget) - mean_logprob(unlearned, data.forget)
    harmed = mean_logprob(memorized, data.retain) - mean_logprob(unlearned, data.retain)
    assert fell > 1
    assert harmed < fell / 2
