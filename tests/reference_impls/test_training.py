from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor
from unlearning_toys import fingerprint

from reference_impls.errors import UsageError
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Reference, Run, UnlearningData, mean_nll
from reference_impls.toolkit.training import _alike, _epochs


def _retain_loss(model: LanguageModel, batch: Batch) -> Tensor:
    return mean_nll(model.token_logits(batch.retain)[0])


def _weights(model: LanguageModel) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.model.named_parameters()}


def _watch(model: LanguageModel, data: UnlearningData, recipe: Recipe, needs: Reference = "nothing") -> list[Batch]:
    """The batches that a loss is given."""
    seen: list[Batch] = []

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        seen.append(batch)
        return _retain_loss(model, batch)

    Run(recipe).minimize(loss, model, data, reference=needs)
    return seen


# An earlier checkpoint


def test_an_earlier_checkpoint_is_loaded_where_there_is_one(tiny: LanguageModel, learned: LanguageModel) -> None:
    earlier = Run(Recipe(), earlier=tiny.copy).earlier_than(learned)
    assert fingerprint(earlier.model) == fingerprint(tiny.model)
    assert Run(Recipe(), earlier=tiny.copy).apart(1).earlier_than(learned) is not None


def test_without_an_earlier_checkpoint_or_with_anothers_it_is_said_what_to_do(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint from before .*; name one with --earlier"):
        Run(Recipe()).earlier_than(tiny)

    def shorter() -> LanguageModel:
        other = tiny.copy()
        other.model.model.layers = other.model.model.layers[:1]
        return other

    with pytest.raises(UsageError, match=r"of another model: its model\.layers\.1\..* is not"):
        Run(Recipe(), earlier=shorter).earlier_than(tiny)


# Batches


def test_references_are_taken_without_dropout(fresh: LanguageModel, data: UnlearningData) -> None:
    mlp = fresh.model.model.layers[0].mlp
    mlp.act_fn = torch.nn.Sequential(mlp.act_fn, torch.nn.Dropout(0.5)).eval()
    expected = fresh.pair_logprobs(data.forget)
    (batch, *_) = _watch(fresh, data, Recipe(learning_rate=0.0, steps=1, batch_size=3), "log-probabilities")
    assert batch.forget.reference is not None
    in_order = torch.cat([expected[row] for row in batch.forget.rows.tolist()])
    assert_allclose(batch.forget.reference, in_order, atol=1e-5)


def test_a_model_stays_where_it_is_whatever_the_machine_has(
    fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.state import AcceleratorState, PartialState

    # As on a laptop with Apple silicon: the loop would move the model there, away from what a method keeps beside it.
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_built", lambda: True)
    moves: list[object] = []

    def to(module: torch.nn.Module, *where: object, **how: object) -> torch.nn.Module:
        moves.append(where)
        return module

    monkeypatch.setattr(torch.nn.Module, "to", to)
    for state in (AcceleratorState, PartialState):
        state._reset_state()
    try:
        Run(Recipe(learning_rate=1e-3, steps=1, batch_size=2)).minimize(_retain_loss, fresh, data)
    finally:
        for state in (AcceleratorState, PartialState):
            state._reset_state()
    assert moves == []
    assert fresh.device == torch.device("cpu")


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_each_epoch_meets_every_row_once(count: int, size: int, seed: int) -> None:
    drawn = _epochs(count, size, random.Random(seed))
    rows: list[int] = []
    while len(rows) < 3 * count:
        batch = next(drawn)
        assert len(batch) == min(size, count)
        rows += batch
    for epoch in range(3):
        assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_drawing_from_an_empty_set_says_so() -> None:
    with pytest.raises(ValueError, match="empty"):
        next(_epochs(0, 4, random.Random(0)))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 5))
def test_batches_of_similar_length_hold_each_row_once_per_epoch(lengths: list[int], size: int, seed: int) -> None:
    rng = random.Random(seed)
    groups = _epochs(len(lengths), len(lengths), rng)
    batches = _alike(groups, lengths, Recipe(batch_size=size), rng)
    for _ in range(2):
        epoch = list(islice(batches, -(-len(lengths) // size)))
        assert sorted(row for batch in epoch for row in batch) == list(range(len(lengths)))
        assert all(len(batch) <= size for batch in epoch)
        spans = sorted((min(lengths[row] for row in one), max(lengths[row] for row in one)) for one in epoch)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_unlearning_meets_every_forget_pair_once_per_epoch(fresh: LanguageModel, pairs: list[Pair]) -> None:
    data = UnlearningData(tuple(pairs[:6]), tuple(pairs[6:]))
    batches = _watch(fresh, data, Recipe(learning_rate=0, steps=6, batch_size=2))
    rows = [row for batch in batches for row in batch.forget.rows.tolist()]
    assert sorted(rows[:6]) == sorted(rows[6:]) == list(range(6))


def test_each_batch_has_as_many_retain_as_forget_pairs(fresh: LanguageModel, data: UnlearningData) -> None:
    batches = _watch(fresh, data, Recipe(learning_rate=0, steps=4, batch_size=2))
    assert {(len(batch.forget), len(batch.retain)) for batch in batches} == {(2, 2)}
    (whole,) = _watch(fresh, data, Recipe(learning_rate=0, steps=1, batch_size=50))
    assert (len(whole.forget), len(whole.retain)) == (3, 3)


def test_every_retain_pair_is_met_before_any_is_met_twice(fresh: LanguageModel, data: UnlearningData) -> None:
    batches = _watch(fresh, data, Recipe(learning_rate=0, steps=10, batch_size=1))
    rows = [int(batch.retain.rows) for batch in batches]
    assert Counter(rows) == dict.fromkeys(range(5), 2)
    assert Counter(rows[:5]) == dict.fromkeys(range(5), 1)


def test_sequences_are_those_of_their_rows(fresh: LanguageModel, data: UnlearningData) -> None:
    for batch in _watch(fresh, data, Recipe(learning_rate=0, steps=3, batch_size=2)):
        for encoded, pairs in ((batch.forget, data.forget), (batch.retain, data.retain)):
            again = fresh.encode([pairs[row] for row in encoded.rows.tolist()])
            assert torch.equal(encoded.input_ids, again.input_ids)
            assert torch.equal(encoded.labels, again.labels)


# References


def test_methods_get_no_reference_unless_they_ask(fresh: LanguageModel, data: UnlearningData) -> None:
    (batch,) = _watch(fresh, data, Recipe(steps=1))
    assert batch.reference is None
    assert batch.forget.reference is None


def test_reference_log_probabilities_are_those_before_unlearning_token_by_token(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=4, batch_size=2)
    for batch in _watch(fresh, data, recipe, "log-probabilities"):
        (before,) = tiny.token_logits(batch.forget)
        assert batch.forget.reference is not None
        assert_allclose(batch.forget.reference, before.token_logprobs().detach(), atol=1e-5)
    assert fingerprint(fresh.model) != fingerprint(tiny.model)


def test_the_reference_model_stays_as_it_was(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    batches = _watch(fresh, data, Recipe(learning_rate=1e-2, steps=3), "model")
    assert fingerprint(fresh.model) != fingerprint(tiny.model)
    for batch in batches:
        assert batch.reference is not None
        assert fingerprint(batch.reference.model) == fingerprint(tiny.model)
        assert not any(weight.requires_grad for weight in batch.reference.model.parameters())
        assert not batch.reference.model.training


# Descent


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    def trained(seed: int) -> str:
        recipe = Recipe(learning_rate=1e-3, steps=3, batch_size=2)
        return fingerprint(Run(recipe, seed).minimize(_retain_loss, tiny.copy(), data).model)

    assert trained(0) == trained(0)
    assert trained(0) != trained(1)


def test_fine_tuning_with_the_same_seed_gives_the_same_weights(tiny: LanguageModel, pairs: list[Pair]) -> None:
    def trained(seed: int) -> str:
        recipe = Recipe(learning_rate=1e-3, steps=3, batch_size=2)
        return fingerprint(Run(recipe, seed).finetune(tiny.copy(), pairs).model)

    assert trained(0) == trained(0)
    assert trained(0) != trained(1)


def test_minimising_lowers_the_loss_and_changes_the_model_given(fresh: LanguageModel, data: UnlearningData) -> None:
    values: list[float] = []

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        value = _retain_loss(model, batch)
        values.append(value.item())
        return value

    before = fingerprint(fresh.model)
    out = Run(Recipe(learning_rate=2e-3, steps=8)).minimize(loss, fresh, data)
    assert out is fresh
    assert fingerprint(fresh.model) != before
    assert values[-1] < values[0] - 1
    assert not fresh.model.training


def test_weights_that_may_not_move_stay_and_are_trainable_again_afterwards(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    chosen = fresh.model.model.layers[1].mlp.down_proj.weight
    Run(Recipe(learning_rate=1e-2, steps=2)).minimize(_retain_loss, fresh, data, [chosen])
    before, after = _weights(tiny), _weights(fresh)
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved == ["model.layers.1.mlp.down_proj.weight"]
    assert all(weight.requires_grad for weight in fresh.model.parameters())


def test_weights_frozen_by_the_caller_stay_frozen(fresh: LanguageModel, data: UnlearningData) -> None:
    fresh.model.model.embed_tokens.weight.requires_grad_(False)
    before = _weights(fresh)["model.embed_tokens.weight"]
    Run(Recipe(learning_rate=1e-2, steps=1)).minimize(_retain_loss, fresh, data)
    assert torch.equal(_weights(fresh)["model.embed_tokens.weight"], before)
    assert not fresh.model.model.embed_tokens.weight.requires_grad


def test_a_learning_rate_of_zero_changes_nothing(tiny: LanguageModel, data: UnlearningData) -> None:
    model = Run(Recipe(learning_rate=0.0, steps=2)).minimize(_retain_loss, tiny.copy(), data)
    assert fingerprint(model.model) == fingerprint(tiny.model)


@pytest.mark.parametrize(("warmup", "steps", "share"), [(0.0, 1, 1.0), (1.0, 4, 0.25), (0.5, 4, 0.5)])
def test_the_first_step_is_the_learning_rate_times_its_share_of_warm_up(
    warmup: float, steps: int, share: float, tiny: LanguageModel, data: UnlearningData
) -> None:
    model, largest = tiny.copy(), []
    before = _weights(model)

    def look(stage: str, done: int, total: int) -> None:
        if done == 1:
            after = _weights(model)
            largest.append(max(float((after[name] - before[name]).abs().max()) for name in before))

    recipe = Recipe(learning_rate=1e-3, steps=steps, warmup=warmup)
    Run(recipe, progress=look).minimize(_retain_loss, model, data)
    assert largest == [pytest.approx(1e-3 * share, rel=1e-2)]  # Adam's first step has the length of the rate


def test_progress_is_told_after_every_step(fresh: LanguageModel, pairs: list[Pair]) -> None:
    told: list[tuple[str, int, int]] = []
    run = Run(Recipe(learning_rate=0, steps=3), progress=lambda *what: told.append(what))
    run.finetune(fresh, pairs, stage="learning")
    assert told == [("learning", 1, 3), ("learning", 2, 3), ("learning", 3, 3)]


def test_fine_tuning_makes_answers_likelier(fresh: LanguageModel, pairs: list[Pair]) -> None:
    before = torch.cat(fresh.pair_logprobs(pairs)).mean()
    Run(Recipe(learning_rate=2e-3, steps=10)).finetune(fresh, pairs)
    assert torch.cat(fresh.pair_logprobs(pairs)).mean() > before + 1


# Alternate answers


def _with_alternates(data: UnlearningData, count: int) -> UnlearningData:
    forget = (
        replace(pair, alternates=tuple(f" {pair.subject}, number {one}." for one in range(count)))
        for pair in data.forget
    )
    return replace(data, forget=tuple(forget))


def _watch_alternates(model: LanguageModel, data: UnlearningData, needs: Reference = "nothing") -> list[Batch]:
    seen: list[Batch] = []

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        seen.append(batch)
        return _retain_loss(model, batch)

    recipe = Recipe(learning_rate=1e-2, steps=24, batch_size=2)
    Run(recipe).minimize(loss, model, data, reference=needs, alternates=True)
    return seen


def test_each_forget_prompt_comes_with_an_alternate_answer_drawn_anew(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    data = _with_alternates(data, 3)
    drawn: Counter[tuple[int, str]] = Counter()
    for batch in _watch_alternates(fresh, data):
        assert batch.alternate is not None
        assert batch.alternate.rows.tolist() == batch.forget.rows.tolist()
        for row, ids, labels in zip(
            batch.alternate.rows.tolist(), batch.alternate.input_ids, batch.alternate.labels, strict=True
        ):
            pair = data.forget[row]
            answer = fresh.tokenizer.decode(labels[labels >= 0], skip_special_tokens=True)
            assert answer in pair.alternates
            assert fresh.tokenizer.decode(ids, skip_special_tokens=True) == pair.prompt + answer
            drawn[row, answer] += 1
    assert len(drawn) == 9  # each of the three alternates of each of the three pairs
    assert sum(drawn.values()) == 48


def test_reference_log_probabilities_of_alternates_are_those_before_unlearning(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    for batch in _watch_alternates(fresh, _with_alternates(data, 2), "log-probabilities"):
        assert batch.alternate is not None
        assert batch.alternate.reference is not None
        with torch.no_grad():
            (out,) = tiny.token_logits(batch.alternate)
        assert_allclose(batch.alternate.reference, out.token_logprobs(), atol=1e-4)


def test_alternates_are_left_alone_unless_asked_for(fresh: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0, steps=6, batch_size=2)
    plain, offered = _watch(fresh, data, recipe), _watch(fresh, _with_alternates(data, 3), recipe)
    assert [batch.alternate for batch in offered] == [None] * 6
    rows = [[(one.forget.rows.tolist(), one.retain.rows.tolist()) for one in seen] for seen in (plain, offered)]
    assert rows[0] == rows[1]


def test_a_forget_pair_without_alternates_is_named(fresh: LanguageModel, data: UnlearningData) -> None:
    forget = (*_with_alternates(data, 2).forget[:1], *data.forget[1:])
    with pytest.raises(ValueError, match="no alternate answer for 'Question: When was Bo Reyes born"):
        _watch_alternates(fresh, replace(data, forget=forget))


# Low-rank fine-tuning


def test_low_rank_fine_tuning_learns_and_changes_linear_layers_by_low_rank_alone(
    tiny: LanguageModel, fresh: LanguageModel, pairs: list[Pair]
) -> None:
    rank = 2
    Run(Recipe(learning_rate=1e-2, steps=4)).finetune_lora(fresh, pairs, rank=rank, alpha=8.0)
    before, after = _weights(tiny), _weights(fresh)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        change = after[name] - weight
        if "_proj" in name:
            values = torch.linalg.svdvals(change)
            assert values[0] > 1e-4, name
            assert values[rank] < 1e-3 * values[0], name
        else:
            assert torch.equal(change, torch.zeros_like(change)), name
    assert torch.cat(fresh.pair_logprobs(pairs)).mean() > torch.cat(tiny.pair_logprobs(pairs)).mean()


def test_low_rank_fine_tuning_leaves_a_plain_model_that_trains_on(fresh: LanguageModel, pairs: list[Pair]) -> None:
    kind, names = type(fresh.model), set(_weights(fresh))
    out = Run(Recipe(learning_rate=1e-2, steps=1)).finetune_lora(fresh, pairs, rank=1, alpha=2.0)
    assert out is fresh
    assert type(fresh.model) is kind
    assert set(_weights(fresh)) == names
    assert all(weight.requires_grad for weight in fresh.model.parameters())
    assert not any("lora" in name for name, _ in fresh.model.named_modules())


# Ending early, and adapters before they are merged


def test_a_run_may_end_before_its_recipe_does(fresh: LanguageModel, data: UnlearningData) -> None:
    asked, done = [], []
    run = Run(Recipe(learning_rate=1e-3, steps=9), progress=lambda stage, step, steps: done.append(step))

    def finished(step: int) -> bool:
        asked.append(step)
        return step == 3

    run.minimize(_retain_loss, fresh, data, finished=finished)
    assert (asked, done) == ([0, 1, 2, 3], [1, 2, 3])
    assert all(weight.requires_grad for weight in fresh.model.parameters())


def test_nothing_changes_if_it_is_finished_from_the_start(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    Run(Recipe(learning_rate=1.0, steps=9)).minimize(_retain_loss, fresh, data, finished=lambda step: True)
    assert fingerprint(fresh.model) == fingerprint(tiny.model)


def test_an_adapter_may_be_changed_before_it_is_merged(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    def erase(adapted: torch.nn.Module) -> None:
        names = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
        assert {name.split(".")[-3] for name in names} == {"lora_A", "lora_B"}
        for name, weight in adapted.named_parameters():
            if ".lora_B." in name:
                weight.data.zero_()

    Run(Recipe(learning_rate=1e-2, steps=2)).finetune_lora(fresh, data.forget, 2, 4.0, before_merge=erase)
    assert fingerprint(fresh.model) == fingerprint(tiny.model)


def test_an_optimizer_has_the_weights_in_the_models_order_whatever_a_method_names_first(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    seen: list[list[Tensor]] = []

    def make(weights: list[Tensor], **settings: float) -> torch.optim.Optimizer:
        seen.append(list(weights))
        return torch.optim.SGD(seen[-1], settings["lr"])

    beside = torch.zeros(1, requires_grad=True)
    named = [beside, *reversed(list(fresh.model.parameters()))]

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        return _retain_loss(model, batch) + beside.sum()

    Run(Recipe(steps=1)).minimize(loss, fresh, data, named, optimizer=make)
    assert [id(weight) for weight in seen[0]] == [*map(id, fresh.model.parameters()), id(beside)]
