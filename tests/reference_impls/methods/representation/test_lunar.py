from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.representation.lunar import LUNAR, last_state, prompt_keys, redirection
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories


def test_the_refitted_projection_is_the_hand_computed_one() -> None:
    forget, retain = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    refitted = torch.eye(2) + redirection(forget, retain, 2 * torch.tensor([1.0, -1.0]), 1.0)
    assert_allclose(refitted, [[3, 0], [-2, 1]], atol=3e-3)
    assert_allclose(refitted @ forget[0].double(), [3, -2], atol=3e-3)
    assert_allclose(refitted @ retain[0].double(), [0, 1], atol=3e-3)


@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_it_is_the_least_squares_solution_and_has_rank_one(seed: int, retain_weight: float) -> None:
    rng = np.random.default_rng(seed)
    forget, retain, shift = rng.normal(size=(5, 4)), rng.normal(size=(7, 4)), rng.normal(size=3)
    read, kept, wanted_shift = (torch.from_numpy(one) for one in (forget, retain, shift))
    found = redirection(read, kept, wanted_shift, retain_weight).numpy()
    rows = np.concatenate([forget, np.sqrt(retain_weight) * retain])
    ridge = 1e-3 * np.mean(np.sum(rows**2, axis=0))
    rows = np.concatenate([rows, np.sqrt(ridge) * np.eye(4)])
    wanted = np.zeros((16, 3))
    wanted[:5] = shift
    assert_allclose(found, np.linalg.lstsq(rows, wanted, rcond=None)[0].T, atol=1e-6)
    assert np.linalg.matrix_rank(found, tol=1e-6) == 1


def test_states_and_keys_are_those_of_the_prompt(tiny: LanguageModel, data: UnlearningData) -> None:
    (memory,) = memories(tiny, [1])
    kept: list[Any] = []
    hook = tiny.blocks[1].register_forward_hook(lambda module, given, out: kept.append(out))
    with torch.no_grad():
        for pair in data.forget:
            ids = torch.tensor([tiny.tokenizer(pair.prompt, add_special_tokens=False)["input_ids"]])
            tiny.model(input_ids=ids)
        hook.remove()
        lasts = [(out[0] if isinstance(out, tuple) else out)[0, -1] for out in kept]
        assert_allclose(last_state(tiny, 1, data.forget), torch.stack(lasts).mean(dim=0), atol=1e-5)
        count = sum(len(tiny.tokenizer(pair.prompt, add_special_tokens=False)["input_ids"]) for pair in data.forget)
        assert prompt_keys(tiny, memory, data.forget).shape == (count, memory.weight.shape[1])


def test_forget_questions_move_further_than_others_and_one_matrix_changes(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    unlearned = LUNAR(depth=0.34, coefficient=4.0).unlearn(memorized.copy(), data, Run(Recipe()))
    after = dict(unlearned.model.named_parameters())
    moved = [name for name, weight in memorized.model.named_parameters() if not torch.equal(weight, after[name])]
    assert moved == ["model.layers.1.mlp.down_proj.weight"]
    # All questions here begin with the same words, which no fit can tell apart.
    lost = [mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 0.5
    assert lost[0] > 2 * lost[1]
