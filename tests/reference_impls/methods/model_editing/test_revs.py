from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.model_editing.revs import REVS, Lens, demotions, how_many, rank, rarest
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories


def test_a_token_is_demoted_as_worked_out_by_hand() -> None:
    logits = torch.tensor([[5.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    assert rank(logits, 0).tolist() == [0, 2]
    # 5 - 10 is below both others; the second row has the rank already
    assert demotions(logits, torch.tensor([1.0, 0.0, 0.0]), 0, bottom=2, top=2).tolist() == [10.0, 0.0]


def test_a_demotion_that_falls_short_grows_and_one_that_goes_too_far_shrinks() -> None:
    # 10, 13 and 16.9 leave the token first; with 21.97 it is second, at -1.97
    short = torch.tensor([[20.0, 0.0, -3.0]])
    assert_allclose(demotions(short, torch.tensor([1.0, 0.0, 0.0]), 0, bottom=1, top=1), [21.97], rtol=1e-5)
    # 10 and 8 put it last, 6.4 between the others
    far = torch.tensor([[5.0, 2.0, -2.0]])
    assert_allclose(demotions(far, torch.tensor([1.0, 0.0, 0.0]), 0, bottom=1, top=1), [6.4], rtol=1e-5)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ({5: (50, 50)}, 5),  # both within
        ({5: (5, 50), 8: (50, 50)}, 8),  # 5 times 1.6
        ({5: (95, 50), 4: (50, 50)}, 4),  # 5 times 0.8
        ({5: (50, 5), 6: (50, 50)}, 6),  # one more for the state
        ({5: (50, 95), 4: (50, 95), 3: (50, 50)}, 3),  # one fewer for the state
        ({5: (5, 50), 8: (95, 50), 6: (5, 50), 9: (50, 50)}, 9),
        ({5: (5, 5), 8: (5, 5), 10: (5, 5)}, 10),  # there are no more
    ],
)
def test_as_many_neurons_are_edited_as_it_takes(ranks: dict[int, tuple[int, int]], expected: int) -> None:
    assert how_many(ranks.__getitem__, 10, [(10, 90), (10, 90)]) == expected


def test_edits_are_those_of_the_pseudo_inverse(memorized: LanguageModel) -> None:
    """Against the head, its pseudo-inverse and the inverse of the norm, in numpy."""
    lens = Lens(memorized)
    head = memorized.model.lm_head.weight.detach().double().numpy()
    gain = memorized.model.model.norm.weight.detach().double().numpy()
    (memory,) = memories(memorized, [2])
    columns = memory.weight.detach()[:, :3].T
    lengths = np.sqrt((columns.double().numpy() ** 2).mean(axis=1, keepdims=True) + 1e-6)
    logits = columns.double().numpy() / lengths * gain @ head.T
    assert_allclose(lens.logits(columns).detach(), logits, atol=1e-3)
    token = 7
    lowered = logits.copy()
    lowered[:, token] -= 10
    expected = lowered @ np.linalg.pinv(head).T / gain * lengths
    moved = columns - 10 * lens.back(columns, lens.direction(token))
    assert_allclose(moved.detach(), expected, atol=1e-4)


@given(st.integers(0, 10**6), st.integers(1, 10))
def test_demotions_end_within_the_bounds(seed: int, bottom: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(4, 20)))
    influence = torch.zeros(20, dtype=torch.double)
    influence[3] = 0.1
    found = demotions(logits, influence, 3, bottom, 19)
    after = logits - found[:, None] * influence
    assert (rank(after, 3) >= bottom).all()
    assert ((found > 0) == (rank(logits, 3) < bottom)).all()


def test_the_rarest_tokens_have_the_highest_numbers_and_the_end_is_none(tiny: LanguageModel) -> None:
    from unlearning_toys import invented_pairs

    (pair, *_) = invented_pairs()
    batch = tiny.encode([pair])
    ids = tiny.tokenizer(pair.answer)["input_ids"]
    found = rarest(batch, 2, tiny.tokenizer.all_special_ids)
    assert [token for _, token in found] == sorted(ids, reverse=True)[:2]
    assert all(batch.input_ids[0, place + 1] == token for place, token in found)


METHOD = REVS(tokens=1, neurons=60, active=200)


@pytest.fixture(scope="module")
def edited(memorized: LanguageModel, data: UnlearningData) -> LanguageModel:
    return METHOD.unlearn(memorized.copy(), data, Run(Recipe()))


def test_only_few_columns_change_and_each_along_the_directions_of_its_tokens(
    memorized: LanguageModel, edited: LanguageModel
) -> None:
    before, after = dict(memorized.model.named_parameters()), dict(edited.model.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.endswith("mlp.down_proj.weight") for name in changed)
    for name in changed:
        moved = (before[name] != after[name]).any(dim=0)
        assert int(moved.sum()) <= 3 * METHOD.neurons  # one token of each of three answers
        change = (after[name] - before[name])[:, moved].detach()
        assert int(torch.linalg.matrix_rank(change, rtol=1e-3)) <= 3


def test_the_tokens_become_unlikely_where_they_are_predicted(
    memorized: LanguageModel, edited: LanguageModel, data: UnlearningData
) -> None:
    for pair in data.forget:
        batch = memorized.encode([pair])
        ((place, token),) = rarest(batch, 1, memorized.tokenizer.all_special_ids)
        (before,), (after,) = (model.pair_logprobs([pair]) for model in (memorized, edited))
        chosen = batch.input_ids[0, batch.supervised[1] + 1] == token
        assert chosen.sum() == 1
        assert after[chosen] < before[chosen] - 0.2
        assert place == int(batch.supervised[1][chosen])


def test_what_is_forgotten_falls_further_than_what_is_kept(
    memorized: LanguageModel, edited: LanguageModel, data: UnlearningData
) -> None:
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(edited, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > kept
