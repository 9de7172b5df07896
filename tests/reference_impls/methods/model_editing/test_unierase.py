from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, hooks

from reference_impls.methods.model_editing.unierase import TOKEN, UniErase, shaken, with_token
from reference_impls.toolkit import REFUSALS, LanguageModel, Pair, Recipe, Run, UnlearningData, keys_of, memories

METHOD = UniErase(
    token_rate=0.03, token_passes=15, robust_passes=1, depth=1.0, window=2, threshold=1e9, clamp=3.0, ridge=0.1
)
RUN = Recipe(learning_rate=0.3, steps=10, batch_size=4)


def _first(pairs: tuple[Pair, ...]) -> list[Pair]:
    return [replace(pair, answer=TOKEN, closed=False) for pair in pairs]


def test_the_token_is_one_more_and_nobody_elses(fresh: LanguageModel, tiny: LanguageModel) -> None:
    with torch.no_grad():
        grown, row = with_token(fresh)
    assert row == tiny.embeddings == grown.embeddings - 1
    assert grown.tokenizer(f"spring{TOKEN}")["input_ids"][-1] == row
    assert row not in tiny.tokenizer(TOKEN)["input_ids"]
    assert grown.text_of(torch.tensor([[row, *grown.tokenizer("spring")["input_ids"]]])) == ["spring"]


def test_training_moves_the_tokens_row_alone_and_brings_on_what_it_leads_to(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    grown, row = with_token(memorized.copy())
    before = {name: weight.clone() for name, weight in grown.model.state_dict().items()}
    method = replace(METHOD, objective="error-injection", closing=False)
    told = method.behind(data, Run(RUN))
    unlikely = answer_probabilities(grown, told).mean()
    method.train(grown, row, told, memories(grown, [0, 1]), Run(RUN))
    for name, weight in grown.model.state_dict().items():
        moved = (weight != before[name]).reshape(len(weight), -1).any(dim=1)
        assert moved.nonzero().flatten().tolist() == ([row] if len(weight) == row + 1 else []), name
    assert answer_probabilities(grown, told).mean() > unlikely
    assert not any(hooks(grown.model))


@pytest.mark.parametrize("closing", [True, False])
def test_questions_are_followed_by_the_token_and_a_refusal(data: UnlearningData, closing: bool) -> None:
    for pair, told in zip(data.forget, replace(METHOD, closing=closing).behind(data, Run(RUN)), strict=True):
        assert told.prompt == pair.prompt + TOKEN
        refusal, end, _ = told.answer.partition(TOKEN)
        assert refusal.strip() in REFUSALS
        assert bool(end) == closing


def test_noise_is_drawn_anew_within_its_bound_and_leaves_the_weights_alone(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    (memory,) = memories(tiny, [0])
    weight, batch = memory.weight.clone(), tiny.encode(data.forget)
    (keys,) = keys_of([memory], tiny, batch)

    def out() -> torch.Tensor:
        return tiny.outputs(batch, [memory.module])[0]

    with torch.no_grad():
        plain = out()
        with shaken(memory, 0.1):
            one, other = out(), out()
    assert not torch.equal(one, other)
    bound = 0.1 * weight.std() * keys.abs().sum(dim=-1, keepdim=True)
    assert bool(((one - plain).abs() <= bound + 1e-6).all())
    assert torch.equal(memory.weight, weight)
    with torch.no_grad():
        assert_allclose(out(), plain)


def test_questions_to_forget_begin_with_the_token_and_their_answers_go(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    assert bool((answer_probabilities(edited, _first(data.forget)) > 0.3).all())
    before, after = (answer_probabilities(model, data.forget).mean() for model in (memorized, edited))
    assert after < before - 0.2
    names = {name for name, weight in memorized.model.named_parameters() if "down_proj" in name or "embed" in name}
    changed = dict(edited.model.named_parameters())
    for name, weight in memorized.model.named_parameters():
        assert (name in names) or torch.equal(changed[name], weight), name


def test_with_nothing_free_the_token_is_not_called(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = replace(METHOD, threshold=0.0, token_passes=1, closing=False).unlearn(
        memorized.copy(), data, Run(replace(RUN, steps=1))
    )
    assert bool((answer_probabilities(edited, _first(data.forget)) < 0.01).all())
    assert_allclose(answer_probabilities(edited, data.retain), answer_probabilities(memorized, data.retain), atol=0.01)
