from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.representation.reva import HONESTLY, ReVa, refusal_state
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=3e-3, steps=40, batch_size=4)
METHOD = ReVa(steering=50.0, retain_weight=10.0)


def test_the_target_is_the_mean_state_at_the_ends_of_questions(memorized: LanguageModel, data: UnlearningData) -> None:
    questions = list(data.retain[:3])
    states = []
    for pair in questions:
        told = f"{HONESTLY}\n"
        batch = memorized.encode([Pair(memorized.behind(told, pair.prompt), pair.answer)])
        with torch.no_grad():
            (after,) = memorized.outputs(batch, [memorized.blocks[memorized.layer_at(0.6)]])
        end = int((batch.labels[0] != -100).nonzero()[0]) - 1
        states.append(after[0, end].numpy())
    assert_allclose(refusal_state(memorized, questions, 0.6), np.mean(states, axis=0), atol=1e-4)


def _distances(model: LanguageModel, target: torch.Tensor, pairs: tuple[Pair, ...]) -> float:
    with torch.no_grad():
        return float((model.activations(model.encode(pairs), METHOD.depth) - target).norm(dim=1).mean())


def test_forget_states_end_nearer_to_not_knowing_than_after_rmu(memorized: LanguageModel, data: UnlearningData) -> None:
    first, second = Run(RECIPE).stages(2)
    target = 50.0 * torch.nn.functional.normalize(torch.rand(memorized.width), dim=0)
    steered = METHOD.led(memorized.copy(), data, first, target, METHOD.steering_depth)
    unknown = refusal_state(steered, [replace(pair, prompt="Who?") for pair in data.retain[:2]], METHOD.depth)
    kept = steered.copy()
    aligned = METHOD.led(steered, data, second, unknown, METHOD.depth)
    assert _distances(aligned, unknown, data.forget) < _distances(kept, unknown, data.forget) * 0.7
    deepest = aligned.layer_at(METHOD.depth)
    moved = {
        name
        for (name, one), other in zip(aligned.model.named_parameters(), kept.model.parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert moved == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in range(max(0, deepest - 2), deepest + 1)}


def test_it_forgets_and_keeps(memorized: LanguageModel, data: UnlearningData) -> None:
    unlearned = METHOD.unlearn(memorized.copy(), data, Run(RECIPE))
    lost, harmed = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert lost > 1.0
    assert harmed < lost / 2
