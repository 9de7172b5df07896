"""Who answers in a model's place: several models as one, one that reads prompts otherwise, one with a single answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import fingerprint, hooks, invented_pairs

from reference_impls.models.architectures import small_model
from reference_impls.running.registry import find_method, method_class
from reference_impls.toolkit import (
    ChangedPrompt,
    Combined,
    FixedAnswer,
    Kept,
    LanguageModel,
    OffsetModel,
    Pair,
    Prefixed,
    Recipe,
    Run,
    Scope,
    SoftPrompted,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    first_blocks,
    mean_vote,
    offset_logits,
    with_weights,
)

PAIRS = invented_pairs()
ASKED = [pair.prompt for pair in PAIRS], [pair.answer for pair in PAIRS]
SHIFTED = [f"{'Well, ' * (row % 3)}{pair.prompt}" for row, pair in enumerate(PAIRS)]


def test_votes_are_averaged_as_probabilities_and_not_counted() -> None:
    votes = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]).log()
    assert_allclose(mean_vote(list(votes + 3)).exp(), [0.566667, 0.433333], atol=1e-5)  # two of three vote for 1


def _alone(model: LanguageModel) -> Combined:
    return Combined.of(model, lambda: (model,), lambda logits: logits[0])


def _close(one: UnlearnedModel, other: UnlearnedModel) -> None:
    for now, then in zip(one.answer_logprobs(*ASKED), other.answer_logprobs(*ASKED), strict=True):
        assert_allclose(now, then, atol=1e-5)
    for told, before in zip(one.distributions(*ASKED), other.distributions(*ASKED), strict=True):
        assert_allclose(told.logprobs, before.logprobs, atol=1e-4)
    assert one.generate(SHIFTED, 7) == other.generate(SHIFTED, 7)


# Several as one


def test_one_model_alone_scores_and_writes_as_itself(learned: LanguageModel) -> None:
    _close(_alone(learned), learned)


@pytest.mark.parametrize("family", ["gpt2", "mamba"])
def test_whatever_a_model_keeps_of_what_it_has_read(family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer)
    prompts = ASKED[0][:2]  # of different lengths
    assert _alone(model).generate(prompts, 5) == [model.generate([one], 5)[0] for one in prompts]


def test_what_is_read_before_every_text_is_read_by_those_who_speak_together(learned: LanguageModel) -> None:
    prompted = SoftPrompted.of(learned, torch.randn(3, learned.width, generator=torch.Generator().manual_seed(1)))
    _close(_alone(prompted), prompted)
    twice = SoftPrompted.of(SoftPrompted.of(learned, prompted.vectors[:1]), prompted.vectors[1:])
    assert torch.equal(twice.vectors, prompted.vectors[[1, 2, 0]])


def test_scores_and_text_go_by_the_same_rule(learned: LanguageModel, tiny: LanguageModel) -> None:
    both = Combined.of(learned, lambda: (learned, tiny), lambda logits: logits[0] - 3 * logits[1])
    prompt = PAIRS[0].prompt
    (written,) = both.generate([prompt], 1)
    words = {tiny.tokenizer.decode([token]) for token in range(2, len(tiny.tokenizer))}
    single = sorted(one for one in words if len(tiny.tokenizer(one, add_special_tokens=False)["input_ids"]) == 1)
    likely = [float(one[0]) for one in both.answer_logprobs([prompt] * len(single), single)]
    assert single[likely.index(max(likely))].strip() == written
    (one, other) = (model.token_logits(learned.encode(PAIRS))[0].logits for model in (learned, tiny))
    assert_allclose(both.token_logits(learned.encode(PAIRS))[0].logits.detach(), (one - 3 * other).detach(), atol=1e-5)


def test_samples_are_drawn_from_all_together(learned: LanguageModel, tiny: LanguageModel) -> None:
    sure = Combined.of(tiny, lambda: (tiny, learned), lambda logits: 50 * logits[1])
    assert sure.sample(ASKED[0][:3], 6) == learned.generate(ASKED[0][:3], 6)


WORDS = "Hogwarts is a Magic School. "


@pytest.mark.parametrize("family", ["tiny", "qwen2", "mamba"])
def test_words_before_a_text_are_as_if_they_were_its_beginning(
    family: str, tiny: LanguageModel, learned: LanguageModel
) -> None:
    model = learned if family == "tiny" else small_model(family, tiny.tokenizer)
    behind, prompts = Prefixed.of(model, WORDS), [pair.prompt for pair in PAIRS]
    written = [WORDS + prompt for prompt in prompts]
    answers = [pair.answer for pair in PAIRS]
    for one, other in zip(
        behind.answer_logprobs(prompts, answers), model.answer_logprobs(written, answers), strict=True
    ):
        assert_allclose(one, other, atol=1e-4)
    assert behind.generate(prompts, 6) == model.generate(written, 6)
    alone = Combined.of(model, lambda: (behind,), lambda logits: logits[0])
    assert alone.generate(prompts, 6) == model.generate(written, 6)


def test_words_stand_behind_what_begins_a_text_and_make_room_where_there_is_little(learned: LanguageModel) -> None:
    begun = learned.copy()
    start = begun.tokenizer("Hal")["input_ids"][0]
    behind = Prefixed.of(begun, WORDS)
    behind._marks = (behind.marks and behind._marks[0], replace(behind.marks, start=start))  # type: ignore[index]
    words = behind.words.tolist()
    ids, mask = behind._read(torch.tensor([[0, start, 7], [8, 7, 7]]), torch.tensor([[0, 1, 1], [1, 1, 1]]))
    assert ids.tolist() == [[0, start, *words, 7], [*words, 8, 7, 7]]
    assert mask.tolist() == [[0, *[1] * (len(words) + 2)], [1] * (len(words) + 3)]
    context = behind.context
    assert context is not None
    long = torch.full((1, context - 2), 7)
    ids, _ = behind._read(long, torch.ones_like(long))
    assert ids.tolist() == [[*words[-2:], *long[0].tolist()]]


@given(st.lists(st.floats(-5, 5), min_size=9, max_size=9), st.floats(0, 3), st.floats(-5, 5))
def test_an_offset_weighs_by_a_ratio_and_knows_no_constants(values: list[float], strength: float, more: float) -> None:
    base, plus, minus = torch.tensor(values, dtype=torch.float64).reshape(3, 3)
    p, q, r = (torch.softmax(one, dim=0) for one in (base, plus, minus))
    weighed = p * (q / r) ** strength
    found = torch.softmax(offset_logits(base, plus + more, minus, strength), dim=0)
    assert_allclose(found, weighed / weighed.sum(), atol=1e-9)
    assert torch.equal(offset_logits(base, plus, plus, strength), base)
    assert torch.equal(offset_logits(base, plus, minus, 0.0), base)


def test_an_offset_is_the_hand_computed_one(tiny: LanguageModel) -> None:
    shifted = offset_logits(torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 0.0]), 1.0)
    assert shifted.tolist() == [0.0, 0.0]


def test_an_offset_of_nothing_is_the_model(learned: LanguageModel) -> None:
    small = first_blocks(learned, 0.5)
    _close(OffsetModel(learned, small, small, 0.5, 1.7), learned)


# Small ones


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.25, 1), (0.5, 2), (1.0, 4)])
def test_an_assistant_is_the_first_blocks_with_norm_and_head(share: float, count: int, learned: LanguageModel) -> None:
    before = fingerprint(learned.model)
    small = first_blocks(learned, share)
    assert small.layers == len(small.blocks) == count
    assert fingerprint(learned.model) == before
    batch = learned.encode(PAIRS[:2])
    with torch.no_grad():
        states = learned.activations(batch, (count - 1) / (learned.layers - 1))
        assert_allclose(small.token_logits(batch)[0].logits, learned.read_out(states), atol=1e-4)
    assert small.generate(ASKED[0][:1], 3) == _alone(small).generate(ASKED[0][:1], 3)


def test_what_was_kept_goes_where_it_belongs_or_is_refused(tiny: LanguageModel) -> None:
    weight = torch.zeros(2, 2)
    Kept({}, {"a.w": torch.ones(2, 2)}).put_into([("w", weight)], "a.")
    assert weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    with pytest.raises(KeyError, match=r"b\.w"):
        Kept({}, {"a.w": weight}).put_into([("w", weight)], "b.")
    with pytest.raises(ValueError, match="w is of another shape"):
        Kept({}, {"w": torch.ones(3)}).put_into([("w", weight)])


# Prompts that look different inside


def test_a_change_reaches_prompts_alone_and_is_gone_afterwards(learned: LanguageModel) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    part, hooked = learned.model.get_input_embeddings(), hooks(learned.model)

    def note(output: Tensor, places: Tensor) -> Tensor:
        seen.append((output, places))
        return output

    changed = ChangedPrompt.of(learned, part, note)
    _close(changed, learned)
    batch = learned.encode(PAIRS[:2])
    seen.clear()
    changed.token_logits(batch)
    (output, places) = seen[0]
    prompts = [len(learned.tokenizer(pair.prompt)["input_ids"]) for pair in PAIRS[:2]]
    assert places.sum(dim=1).tolist() == prompts
    assert all(bool(places[row, :count].all()) for row, count in enumerate(prompts))
    assert output.shape[:2] == places.shape
    assert hooks(learned.model) == hooked


@pytest.mark.parametrize("asked", [lambda model: model, _alone])
def test_what_is_scored_is_what_is_written(asked: Any, learned: LanguageModel) -> None:
    # A change that depends on nothing but the place in the prompt, whatever the padding.
    def change(output: Tensor, places: Tensor) -> Tensor:
        turned = torch.where((places.cumsum(dim=1) - 1)[..., None] % 2 == 0, output, -output)
        return torch.where(places[..., None], turned, output)

    changed = asked(ChangedPrompt.of(learned, learned.model.get_input_embeddings(), change))
    prompts = SHIFTED[:3]
    together, alone = changed.generate(prompts, 4), [changed.generate([one], 4)[0] for one in prompts]
    assert together == alone
    for prompt, text in zip(prompts, together, strict=True):
        (told,) = changed.distributions([prompt], [f" {text}"])
        assert bool(told.likeliest[:1].all())
    assert changed.generate(prompts, 4) != learned.generate(prompts, 4)


# One answer


def test_whoever_has_one_answer_gives_it_with_certainty(tiny: LanguageModel) -> None:
    refusing = FixedAnswer(tiny, "I like spring.")
    assert refusing.generate(ASKED[0][:2], 20) == ["I like spring."] * 2
    said, other = refusing.answer_logprobs(ASKED[0][:2], [" I like spring.", ASKED[1][1]])
    assert_allclose(said, 0.0, atol=1e-6)
    assert_allclose(other[0], math.log(1e-12))
    (told,) = refusing.distributions(ASKED[0][:1], ASKED[1][:1])
    assert_allclose(told.logprobs.exp().sum(dim=1), 1.0, atol=1e-5)
    assert bool(told.expected.isfinite().all())
    assert bool(told.deviation.isfinite().all())


# What is around weights that an attacker changes


@pytest.mark.parametrize("method", ["uld", "delta-unlearning", "eco", "spul", "grun"])
def test_what_is_around_stays_around_other_weights_and_around_what_is_read_before(
    method: str, tiny: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=1e-2, steps=2, batch_size=2), seed=1)
    unlearned = method_class(find_method(method))().unlearn(tiny.copy(), data, run)
    asked = [pair.prompt for pair in data.forget], [pair.answer for pair in data.forget]

    def told(model: UnlearnedModel) -> Tensor:
        return torch.cat(model.answer_logprobs(*asked))

    assert torch.equal(told(with_weights(unlearned, lambda weights: weights)), told(unlearned))
    assert not torch.allclose(told(unlearned), told(tiny), atol=1e-3)
    vectors = torch.randn(3, tiny.width, generator=torch.Generator().manual_seed(2))
    opened = with_weights(unlearned, lambda weights: SoftPrompted.of(weights, vectors))
    assert not torch.allclose(told(opened), told(unlearned), atol=1e-3)
    assert not torch.allclose(told(opened), told(SoftPrompted.of(tiny, vectors)), atol=1e-3)
    assert len(opened.generate(asked[0], 3)) == len(data.forget)


# A gate


def test_a_scope_tells_apart_what_it_was_shown_and_balances_the_sets() -> None:
    inside = ["Where was Ana born?", "What does Ana write?"]
    outside = [
        f"{question} {name} {verb}?"
        for name in ("Bo", "Cy", "Dee")
        for question, verb in (("Where was", "born"), ("What does", "write"))
    ]
    scope = Scope.learned(inside, outside)
    assert min(map(scope, inside)) > 0.7 > 0.3 > max(map(scope, outside))
    assert scope("Who is ANA'S friend?") > 0.5
    assert abs(scope.weights["born"]) < 0.2 * scope.weights["ana"]
    twice = Scope.learned(inside, outside * 3)
    assert twice.weights["ana"] == pytest.approx(scope.weights["ana"], rel=1e-3)


@given(st.text())
def test_a_scope_is_a_probability_of_any_text(text: str) -> None:
    assert 0 <= Scope({"a": 800.0, "b": -800.0, "c": 1.0}, 0.0)(text) <= 1


# A model behind a gate


@dataclass
class _Gated(Wrapped):
    model: LanguageModel
    other: UnlearnedModel

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        return self.other if "Bo" in query or "Fay" in query else self.model

    def to_json(self) -> dict[str, Any]:
        return {}


def test_every_query_is_answered_by_whom_it_is_for_in_its_place(learned: LanguageModel) -> None:
    refusing = FixedAnswer(learned, "No.")
    gated = _Gated(learned, refusing)

    def apart(model: UnlearnedModel) -> Sequence[float]:
        return [float(one.sum()) for one in model.answer_logprobs(*ASKED)]

    stopped = ["Bo" in pair.prompt or "Fay" in pair.prompt for pair in PAIRS]
    expected = [no if stop else yes for stop, yes, no in zip(stopped, apart(learned), apart(refusing), strict=True)]
    assert_allclose(apart(gated), expected, atol=1e-4)
    assert_allclose([float(one.chosen.sum()) for one in gated.distributions(*ASKED)], expected, atol=1e-4)
    texts = learned.generate(ASKED[0], 5)
    assert gated.generate(ASKED[0], 5) == ["No." if stop else one for stop, one in zip(stopped, texts, strict=True)]


def test_nothing_asked_is_nothing_answered(tiny: LanguageModel) -> None:
    gated = _Gated(tiny, tiny)
    assert gated.generate([], 3) == gated.answer_logprobs([], []) == list(gated.distributions([], [])) == []


def test_a_pair_may_be_open(tiny: LanguageModel) -> None:
    assert len(_alone(tiny).pair_logprobs([Pair("", "a text", closed=False)])) == 1
