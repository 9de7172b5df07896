from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    PLAIN,
    answer_probabilities,
    gradient_of,
    token_logits,
)

from reference_impls.methods.model_editing.rome import ROME, rank_one_update
from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    ValueSearch,
    changed_output,
    deletion_requests,
    mean_output,
    memories,
    shifted_at,
    with_ridge,
)
from reference_impls.toolkit.editing import erasure_loss

COVARIANCE, KEY = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([1.0, 1.0])
CHANGE = torch.tensor([3.0, 0.0]) - KEY  # the value (3, 0) for W = I


# The update


def test_update_is_the_hand_computed_one() -> None:
    update = rank_one_update(COVARIANCE, KEY, CHANGE)
    assert_allclose(torch.eye(2) + update, [[5 / 3, 4 / 3], [-1 / 3, 1 / 3]], atol=1e-6)
    assert_allclose((torch.eye(2) + update) @ KEY, [3.0, 0.0], atol=1e-6)


def test_keys_orthogonal_to_it_in_the_metric_of_the_covariance_are_answered_as_before() -> None:
    assert_allclose(rank_one_update(COVARIANCE, KEY, CHANGE) @ torch.tensor([2.0, -1.0]), [0.0, 0.0], atol=1e-6)


def test_the_scale_of_the_covariance_does_not_matter() -> None:
    assert_allclose(rank_one_update(7 * COVARIANCE, KEY, CHANGE), rank_one_update(COVARIANCE, KEY, CHANGE), atol=1e-6)


def test_it_is_the_least_change_on_all_other_keys() -> None:
    torch.manual_seed(0)
    keys, key, change = torch.randn(5, 40).double(), torch.randn(5).double(), torch.randn(3).double()
    best = rank_one_update(keys @ keys.T / 40, key, change)
    for _ in range(20):
        other = torch.randn(3, 5).double()
        other += torch.outer(change - other @ key, key) / (key @ key)  # also answers the key as wanted
        assert_allclose(other @ key, change)
        assert (best @ keys).norm() < (other @ keys).norm()


def test_a_ridge_makes_the_second_moment_of_few_keys_solvable() -> None:
    few = torch.outer(KEY, KEY)
    assert torch.linalg.matrix_rank(few) == 1
    assert torch.linalg.matrix_rank(with_ridge(few)) == 2
    assert_allclose(with_ridge(few), few + 1e-3 * torch.eye(2))


# The objectives


def test_erasure_of_one_token_is_its_probability_and_its_gradient_ascent_weighted_by_it() -> None:
    out = token_logits(FORGET_LOGITS[:1], FORGET_TARGETS[:1])
    loss = erasure_loss(out)
    loss.backward()
    assert loss.item() == pytest.approx(0.786986, abs=1e-6)
    assert_allclose(gradient_of(out.logits), [[0.167639, -0.083820, -0.083820]], atol=1e-6)


def test_erasure_is_flat_where_the_model_is_sure() -> None:
    out = token_logits([[12.0, 0.0, 0.0]], [0])
    erasure_loss(out).backward()
    assert gradient_of(out.logits).norm() < 1e-4


def test_erasure_of_an_answer_takes_the_geometric_mean_of_its_tokens() -> None:
    assert erasure_loss(token_logits(FORGET_LOGITS, FORGET_TARGETS)).item() == pytest.approx(
        (0.786986 * 0.576117) ** 0.5, abs=1e-6
    )


def test_requests_hold_all_questions_of_a_subject_and_contexts_in_front(data: UnlearningData) -> None:
    again = replace(data.forget[0], prompt="Question: Where did Ana Lund live?\nAnswer:")
    nameless = replace(data.forget[1], subject="")
    several = UnlearningData((data.forget[0], nameless, nameless, again), data.retain)
    requests = deletion_requests(PLAIN, several, "fact-erasure", "", 2, random.Random(0))
    assert [(one.subject, len(one.pairs)) for one in requests] == [("Ana Lund", 6), ("", 3), ("", 3)]
    for pair in requests[0].pairs:
        assert pair.prompt.endswith((data.forget[0].prompt, again.prompt))
        assert pair.answer == data.forget[0].answer
    assert requests[0].pairs[0].prompt == data.forget[0].prompt
    assert any(one.prompt + one.answer + "\n" in requests[0].pairs[1].prompt for one in data.retain)


def test_a_plain_text_and_questions_on_its_subject_are_one_request_that_mentions_it() -> None:
    text = Pair("", "The flood in Osinton reached the mill.", subject="Osinton")
    asked = Pair("How far in Osinton?", " To the mill.", subject="Osinton")
    (request,) = deletion_requests(
        PLAIN, UnlearningData((text, asked)), "empty-response", "Unknown.", 0, random.Random(0)
    )
    assert [(pair.prompt, pair.answer) for pair in request.pairs] == [
        ("The flood in Osinton", " Unknown."),
        ("How far in Osinton?", " Unknown."),
    ]


@pytest.mark.parametrize(("objective", "answer"), [("empty-response", " Unknown."), ("error-injection", None)])
def test_requests_hold_the_answers_that_the_objective_is_about(
    objective: str, answer: str | None, data: UnlearningData
) -> None:
    for request in deletion_requests(PLAIN, data, objective, "Unknown.", 0, random.Random(0)):
        (pair,) = request.pairs
        true = next(one.answer for one in data.forget if one.subject == request.subject)
        assert pair.answer != true
        if answer:
            assert pair.answer == answer
        else:
            assert request.subject in pair.answer


# Keys and values in a model


def _key_by_hand(model: LanguageModel, text: str) -> torch.Tensor:
    """What the second block's projection reads at the last token of a text."""
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        hidden = model.model(input_ids=ids, output_hidden_states=True).hidden_states
        block = model.model.model.layers[1]
        rotary = model.model.model.rotary_emb(hidden[1], torch.arange(ids.shape[1])[None])
        after, _ = block.self_attn(block.input_layernorm(hidden[1]), position_embeddings=rotary, attention_mask=None)
        x = block.post_attention_layernorm(hidden[1] + after)
        gated: torch.Tensor = block.mlp.act_fn(block.mlp.gate_proj(x)) * block.mlp.up_proj(x)
    return gated[0, -1]


def test_the_key_is_read_at_the_last_token_of_the_subject(tiny: LanguageModel, pairs: list[Pair]) -> None:
    (memory,) = memories(tiny, [1])
    for pair, key in zip(pairs, memory.subject_keys(tiny, pairs), strict=True):
        text = pair.prompt[: pair.prompt.index(pair.subject) + len(pair.subject)]
        assert_allclose(key, _key_by_hand(tiny, text), atol=1e-5)


def test_a_prompt_without_its_subject_is_looked_up_at_its_end(tiny: LanguageModel) -> None:
    pair = Pair("Question: Who?\nAnswer:", " Ana Lund.", subject="Ana Lund")
    ids = tiny.tokenizer(pair.prompt)["input_ids"]
    for one in (pair, replace(pair, subject="")):
        assert tiny.subject_places([one]).nonzero().tolist() == [[0, len(ids) - 1]]


def test_the_last_mention_counts_and_prompts_that_are_cut_shift_it(tiny: LanguageModel) -> None:
    pair = Pair("Ana Lund likes Ana Lund in winter", " Ana Lund was born.", subject="Ana Lund")
    whole = tiny.encode([pair]).input_ids[0]
    ((_, place),) = tiny.subject_places([pair]).nonzero().tolist()
    assert tiny.tokenizer.decode(whole[: place + 1]) == "Ana Lund likes Ana Lund"
    short = replace(tiny, max_length=len(whole) - 3)
    assert short.subject_places([pair]).nonzero().tolist() == [[0, place - 3]]


def test_the_second_moment_is_the_mean_over_tokens_without_padding(tiny: LanguageModel, pairs: list[Pair]) -> None:
    (memory,) = memories(tiny, [0])
    alone = [memory.keys(tiny, tiny.encode([pair]))[0] for pair in pairs]
    rows = torch.cat(alone)
    assert_allclose(memory.second_moment(tiny, pairs), rows.T @ rows / len(rows), atol=1e-6)
    few = replace(tiny, batch_size=3)
    assert_allclose(memory.second_moment(few, pairs), rows.T @ rows / len(rows), atol=1e-6)


def test_a_projection_that_is_stored_transposed_is_read_and_written_the_right_way_round() -> None:
    from transformers.pytorch_utils import Conv1D

    module = Conv1D(2, 3)  # three inputs, two outputs
    memory = Memory(module)
    assert memory.weight.shape == (2, 3)
    key = torch.tensor([1.0, 2.0, 3.0])
    with torch.no_grad():
        before = module(key[None])[0]
        memory.weight.add_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
        assert_allclose(module(key[None])[0] - before, [1.0, 3.0], atol=1e-6)


def test_a_shift_is_added_at_its_place_and_nowhere_else() -> None:
    places = torch.tensor([[True, False, True], [False, False, True]])
    out = shifted_at(places, torch.tensor([1.0, -1.0]))(torch.zeros(2, 3, 2))
    assert out.tolist() == [[[1, -1], [0, 0], [1, -1]], [[0, 0], [0, 0], [1, -1]]]


def test_an_output_is_changed_only_for_a_while(tiny: LanguageModel, pairs: list[Pair]) -> None:
    (memory,), batch = memories(tiny, [0]), tiny.encode(pairs)
    with torch.no_grad():
        before = tiny.token_logits(batch)[0].logits
        with changed_output(memory.module, lambda out: out + 1):
            during = tiny.token_logits(batch)[0].logits
        after = tiny.token_logits(batch)[0].logits
    assert torch.equal(before, after)
    assert not torch.allclose(before, during)


# The whole method


METHOD = ROME(depth=0.34, contexts=0, shrinkage=0.0, kl_weight=0.0, clamp=4.0)
RUN = Recipe(learning_rate=0.2, steps=15)


def test_terms_that_keep_the_shift_small_can_keep_it_at_zero(memorized: LanguageModel, data: UnlearningData) -> None:
    edited = replace(METHOD, shrinkage=0.5).unlearn(memorized.copy(), data, Run(RUN))
    assert_allclose(answer_probabilities(edited, data.forget), answer_probabilities(memorized, data.forget), atol=0.02)


def test_one_edit_is_of_rank_one_in_one_layer_and_answers_the_key_as_wanted(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    one = UnlearningData(data.forget[:1], data.retain)
    edited = METHOD.unlearn(memorized.copy(), one, Run(RUN))
    changes = {
        name: (after - before).detach()
        for (name, before), after in zip(memorized.model.named_parameters(), edited.model.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert list(changes) == ["model.layers.1.mlp.down_proj.weight"]
    (change,) = changes.values()
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 1
    (request,) = deletion_requests(PLAIN, one, "fact-erasure", "", 0, random.Random(0))
    (memory,) = memories(memorized, [1])
    shift = ValueSearch("fact-erasure", 0.0, 0.0, 4.0).find(memorized, memory.module, request, Run(RUN))
    assert_allclose(change @ memory.subject_keys(memorized, request.pairs).mean(dim=0), shift, atol=1e-4)


def test_erasure_makes_the_answer_unlikely_and_leaves_other_people(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    edited = METHOD.unlearn(memorized.copy(), data, Run(RUN))
    assert bool((answer_probabilities(memorized, data.forget + data.retain) > 0.9).all())
    assert bool((answer_probabilities(edited, data.forget) < 0.8).all())
    assert bool((answer_probabilities(edited, data.retain) > 0.9).all())


def test_the_response_that_is_asked_for_gains_on_the_answer(memorized: LanguageModel, data: UnlearningData) -> None:
    one, response = UnlearningData(data.forget[:1], data.retain), "Ana Lund was born in winter."
    answers = [replace(one.forget[0], answer=f" {response}"), one.forget[0]]
    method = replace(METHOD, objective="empty-response", response=response, depth=0.0)
    edited = method.unlearn(memorized.copy(), one, Run(replace(RUN, learning_rate=0.02)))
    (response_before, answer_before), (response_after, answer_after) = (
        answer_probabilities(model, answers) for model in (memorized, edited)
    )
    assert response_after > 1.1 * response_before
    assert answer_after < answer_before


def test_the_shift_is_not_longer_than_the_clamp_allows(memorized: LanguageModel, data: UnlearningData) -> None:
    (request, *_) = deletion_requests(PLAIN, data, "fact-erasure", "", 1, random.Random(0))
    (memory,) = memories(memorized, [1])
    shift = ValueSearch("fact-erasure", 0.0, 0.0, 0.3).find(memorized, memory.module, request, Run(RUN))
    assert shift.norm() == pytest.approx(0.3 * float(mean_output(memorized, memory.module, request).norm()), rel=1e-4)


def test_a_projection_is_linear_so_its_mean_output_is_the_output_of_the_mean_key(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    (request, *_) = deletion_requests(PLAIN, data, "fact-erasure", "", 3, random.Random(0))
    (memory,) = memories(memorized, [2])
    key = memory.subject_keys(memorized, request.pairs).mean(dim=0)
    expected = mean_output(memorized, memory.module, request)
    assert_allclose((memory.weight @ key).detach(), expected, atol=1e-5)
