from __future__ import annotations

import pytest
import torch
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.localization.sgtm import SGTM
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories, neuron_masks


def _aside(size: int, share: float) -> torch.Tensor:
    return torch.arange(size) >= size - round(share * size)


def test_without_retain_examples_nothing_but_what_is_set_aside_moves(tiny: LanguageModel, data: UnlearningData) -> None:
    """And that is set to 0 in the end, so that all other weights are those of the base, to the bit."""
    run = Run(Recipe(learning_rate=1e-2, steps=3, batch_size=3), earlier=tiny.copy)
    trained = SGTM(share=0.25).unlearn(tiny.copy(), UnlearningData(data.forget), run)
    masks = neuron_masks(tiny, range(tiny.layers), lambda layer, size: _aside(size, 0.25))
    weights = zip(trained.model.parameters(), tiny.model.parameters(), masks, strict=True)
    for weight, before, mask in weights:
        assert torch.equal(weight[~mask], before[~mask])
        assert not bool(weight[mask].any())


def test_the_ablated_model_is_what_it_was_without_these_neurons(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = fresh.encode(data.retain)
    found = memories(fresh, range(fresh.layers))
    with torch.no_grad():
        for memory in found:
            fresh.model.requires_grad_(False)
            memory.weight.mul_(5)
    from contextlib import ExitStack

    with torch.no_grad(), ExitStack() as without:
        for memory in found:
            without.enter_context(memory.given(lambda keys: keys * ~_aside(keys.shape[-1], 0.25), batch))
        (expected,) = fresh.token_logits(batch)
        expected = expected.with_logits(expected.logits)
    masks = neuron_masks(fresh, range(fresh.layers), lambda layer, size: _aside(size, 0.25))
    with torch.no_grad():
        before = fresh.token_logits(batch)[0].logits
        for weight, mask in zip(fresh.model.parameters(), masks, strict=True):
            weight[mask] = 0
        (ablated,) = fresh.token_logits(batch)
        assert torch.allclose(ablated.logits, expected.logits, atol=1e-5)
        assert not torch.allclose(ablated.logits, before, atol=1e-3)


def test_what_was_labelled_goes_and_the_rest_is_learned(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=3), earlier=tiny.copy)
    trained = SGTM(share=0.25).unlearn(tiny.copy(), data, run)
    assert mean_logprob(trained, data.retain) > -0.6
    assert mean_logprob(trained, data.forget) < mean_logprob(trained, data.retain) - 1


def test_without_labels_everything_is_learned_everywhere(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=2, batch_size=3)
    one, other = (
        SGTM(unlabelled=share, without=0.0).unlearn(tiny.copy(), data, Run(recipe, earlier=tiny.copy))
        for share in (0.0, 1.0)
    )
    assert fingerprint(one.model) != fingerprint(other.model)
    assert mean_logprob(other, data.forget) > mean_logprob(one, data.forget)


def test_it_needs_what_the_model_started_from(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        SGTM().unlearn(tiny.copy(), data, Run(Recipe(steps=1)))
