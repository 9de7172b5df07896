from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    gradient_of,
    losses,
    softmax,
    token_logits,
)

from reference_impls.toolkit import IGNORE, Encoded, TokenLogits, mean_kl, mean_nll


def test_token_log_probabilities_are_those_computed_by_hand() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    assert_allclose(-out.token_logprobs().detach(), [0.239545, 0.551445], atol=1e-6)
    assert_allclose(-out.token_logprobs().detach(), losses(FORGET_LOGITS, FORGET_TARGETS), atol=1e-6)


def test_a_sequence_sums_and_means_are_those_computed_by_hand() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    assert out.sequence_logprobs().item() == pytest.approx(-0.790989, abs=1e-6)
    assert out.sequence_nll().item() == pytest.approx(0.395495, abs=1e-6)


def test_tokens_count_for_the_sequence_they_belong_to() -> None:
    out = token_logits(FORGET_LOGITS + RETAIN_LOGITS, FORGET_TARGETS + RETAIN_TARGETS, [0, 0, 1])
    assert_allclose(out.sequence_logprobs().detach(), [-0.790989, -0.551445], atol=1e-6)
    assert_allclose(out.sequence_nll().detach(), [0.395495, 0.551445], atol=1e-6)


def test_tokens_in_any_order_give_the_same_sequences() -> None:
    rows, targets = FORGET_LOGITS + RETAIN_LOGITS, FORGET_TARGETS + RETAIN_TARGETS
    straight = token_logits(rows, targets, [0, 0, 1])
    turned = token_logits(rows[::-1], targets[::-1], [1, 0, 0])
    assert_allclose(straight.sequence_nll().detach(), turned.sequence_nll().detach())


def test_mean_nll_counts_each_answer_alike_however_long() -> None:
    out = token_logits(FORGET_LOGITS + RETAIN_LOGITS, FORGET_TARGETS + RETAIN_TARGETS, [0, 0, 1])
    pooled = (0.790989 + 0.551445) / 3
    assert mean_nll(out).item() == pytest.approx(0.473470, abs=1e-6)
    assert mean_nll(out).item() != pytest.approx(pooled, abs=1e-3)


def test_a_sequence_without_answer_tokens_has_loss_zero_and_not_nan() -> None:
    logits = torch.tensor(FORGET_LOGITS)
    out = TokenLogits(logits, torch.tensor(FORGET_TARGETS), torch.tensor([0, 0]), sequences=2)
    assert_allclose(out.sequence_nll(), [0.395495, 0.0], atol=1e-6)


def test_a_constant_added_to_all_logits_of_a_place_changes_nothing() -> None:
    shifted = np.add(FORGET_LOGITS, [[100.0], [-50.0]]).tolist()
    plain = token_logits(FORGET_LOGITS, FORGET_TARGETS).token_logprobs()
    assert_allclose(token_logits(shifted, FORGET_TARGETS).token_logprobs().detach(), plain.detach(), atol=1e-5)


def test_a_certain_wrong_answer_has_a_finite_log_probability() -> None:
    out = token_logits([[1000.0, 0.0]], [1])
    assert out.token_logprobs().item() == pytest.approx(-1000.0)


def test_kl_is_that_of_reference_to_current_and_not_the_reverse() -> None:
    reference, current = token_logits(RETAIN_REFERENCE, [2]), token_logits(RETAIN_LOGITS, [2])
    p, q = softmax(RETAIN_REFERENCE), softmax(RETAIN_LOGITS)
    assert mean_kl(reference, current).item() == pytest.approx(0.098886, abs=1e-6)
    assert mean_kl(reference, current).item() == pytest.approx(float((p * np.log(p / q)).sum()), abs=1e-6)
    assert mean_kl(current, reference).item() == pytest.approx(0.111983, abs=1e-6)


def test_gradient_of_kl_is_the_difference_of_probabilities() -> None:
    reference, current = token_logits(RETAIN_REFERENCE, [2]), token_logits(RETAIN_LOGITS, [2])
    mean_kl(reference, current).backward()
    assert_allclose(gradient_of(current.logits), [[0.105435, 0.105435, -0.210869]], atol=1e-6)


def test_kl_of_a_model_to_itself_is_zero_with_zero_gradient() -> None:
    reference, current = token_logits(FORGET_LOGITS, [0, 1]), token_logits(FORGET_LOGITS, [0, 1])
    value = mean_kl(reference, current)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-7)
    assert_allclose(gradient_of(current.logits), np.zeros((2, 3)), atol=1e-7)


def test_supervised_places_are_one_before_the_labelled_tokens() -> None:
    labels = torch.tensor([[IGNORE, IGNORE, 5, 6, IGNORE], [IGNORE, 7, 8, 9, 2]])
    encoded = Encoded(torch.zeros(2, 5, dtype=torch.long), torch.ones(2, 5), labels, torch.tensor([0, 1]))
    sequence, place = encoded.supervised
    assert sequence.tolist() == [0, 0, 1, 1, 1, 1]
    assert place.tolist() == [1, 2, 0, 1, 2, 3]


def test_a_label_on_the_first_token_has_no_place_that_predicts_it() -> None:
    labels = torch.tensor([[5, 6, IGNORE]])
    encoded = Encoded(torch.zeros(1, 3, dtype=torch.long), torch.ones(1, 3), labels, torch.tensor([0]))
    assert encoded.supervised[1].tolist() == [0]


def test_the_end_of_each_prompt_predicts_the_first_token_of_its_answer() -> None:
    ids = torch.tensor([[5, 6, 7, 8, 0], [5, 7, 8, 9, 4]])
    labels = torch.tensor([[IGNORE, IGNORE, IGNORE, 8, IGNORE], [5, 7, 8, 9, 4]])  # the second has no prompt at all
    batch = Encoded(ids, (ids > 0).long(), labels, torch.tensor([0, 1]))
    assert batch.prompt_ends.tolist() == [2, 0]
    sequence, place = batch.supervised
    assert [int(place[sequence == row].min()) for row in (0, 1)] == [2, 0]
