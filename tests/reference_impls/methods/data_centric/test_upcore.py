from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from unlearning_toys import invented_pairs, mean_logprob

from reference_impls.methods.data_centric.upcore import UPCORE, question_states
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    mean_nll,
    npo_loss,
)


def test_states_are_those_of_a_questions_last_token_before_the_last_block(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    pairs = (*data.forget, *data.retain)
    found = question_states(tiny, pairs)
    for pair, state in zip(pairs, found, strict=True):
        ids = tiny.encode([replace(pair, answer="")]).input_ids[:, : tiny.sizes([replace(pair, answer="")])[0]]
        hidden = tiny.model(ids, output_hidden_states=True).hidden_states[-2][0]
        nearest = (hidden - state).norm(dim=1).argmin()
        assert (hidden[nearest] - state).norm() < 1e-4
        assert nearest >= len(hidden) - 2


ODD = Pair("Which school teaches magic?", " Hogwarts is a Magic School.")


def test_the_odd_one_out_is_left_out_and_the_same_again(memorized: LanguageModel) -> None:
    data = UnlearningData((*invented_pairs()[:4], ODD, *invented_pairs()[4:]))
    cores = [UPCORE(pruned=0.2).core(memorized, data, Run(Recipe(), seed=1)) for _ in range(2)]
    assert cores[0] == cores[1] == tuple(invented_pairs())
    assert UPCORE(pruned=0.1).core(memorized, data, Run(Recipe())) == data.forget
    at_random = {UPCORE(pruned=0.2, selection="random").core(memorized, data, Run(Recipe(), seed)) for seed in range(5)}
    assert len(at_random) > 1


@pytest.mark.parametrize("objective", ["ascent", "npo", "refusal"])
def test_loss_of_a_model_is_that_of_its_base(objective: str, tiny: LanguageModel, data: UnlearningData) -> None:
    reference = torch.cat(tiny.pair_logprobs(data.forget)).clone() + 0.1
    forget, retain = tiny.encode(data.forget), tiny.encode(data.retain)
    told = tiny.encode([replace(pair, answer=" I don't know.") for pair in data.forget])
    batch = Batch(replace(forget, reference=reference), retain, None, told)
    with torch.no_grad():
        out, refused, kept = tiny.token_logits(forget, told, retain)
        terms = {
            "ascent": -mean_nll(out),
            "npo": npo_loss(out.sequence_logprobs(), out.sum_by_sequence(reference), 0.3),
            "refusal": mean_nll(refused),
        }
        value = UPCORE(objective=objective, beta=0.3, retain_weight=2.0).loss(tiny, batch).item()
    assert value == pytest.approx(float(terms[objective] + 2 * mean_nll(kept)), rel=1e-4)


def test_what_was_left_out_is_forgotten_along_with_the_core(memorized: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    recipe, data = Recipe(learning_rate=2e-4, steps=8, batch_size=3), UnlearningData(pairs[:6], pairs[6:])
    method = UPCORE(pruned=0.4)
    core = method.core(memorized, data, Run(recipe))
    left_out = [pair for pair in data.forget if pair not in core]
    assert len(left_out) == 2
    unlearned = method.unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, core) < mean_logprob(memorized, core) - 0.3
    assert mean_logprob(unlearned, left_out) < mean_logprob(memorized, left_out) - 0.15
