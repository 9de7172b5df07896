from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.metrics.answers import (
    answer_probability,
    choice_accuracy,
    choice_probability,
    mean_loss,
    perplexity,
    rouge_l_f1,
    rouge_l_recall,
    truth_ratio,
)

TOY = torch.tensor([-0.239545, -0.551445, -1.551445])
"""Toy T: two answer tokens and the end of sequence."""


def answer(loss: float, tokens: int = 2) -> torch.Tensor:
    """Log-probabilities of an answer with that mean loss, unevenly spread."""
    spread = torch.linspace(-0.1, 0.1, tokens) if tokens > 1 else torch.zeros(1)
    return -loss + spread


logprobs = st.lists(st.floats(-50, 0), min_size=1, max_size=8).map(torch.tensor)


def test_probability_is_the_geometric_mean_of_token_probabilities() -> None:
    assert mean_loss(TOY) == pytest.approx(0.780811, abs=1e-5)
    assert answer_probability(TOY) == pytest.approx(0.458034, abs=1e-5)
    assert answer_probability(TOY[:2]) == pytest.approx(0.673347, abs=1e-5)


def test_probability_is_neither_unnormalized_nor_an_arithmetic_mean() -> None:
    assert answer_probability(TOY) != pytest.approx(0.096093, abs=1e-3)
    assert answer_probability(TOY) != pytest.approx(0.525015, abs=1e-3)


@pytest.mark.parametrize("tokens", [1, 2, 17])
def test_a_uniform_model_gives_one_over_the_vocabulary_for_any_length(tokens: int) -> None:
    uniform = torch.full((tokens,), -math.log(3))
    assert answer_probability(uniform) == pytest.approx(1 / 3)
    assert choice_probability(uniform, [uniform[:1]] * 3) == pytest.approx(0.25)
    assert truth_ratio(uniform, [uniform[:1]] * 2) == pytest.approx(1.0)


@given(logprobs)
def test_probability_is_in_0_to_1_and_at_least_that_of_the_whole_answer(values: torch.Tensor) -> None:
    probability = answer_probability(values)
    assert 0 <= probability <= 1
    assert probability >= math.exp(float(values.double().sum())) - 1e-12
    assert probability == pytest.approx(float(np.exp(np.mean(values.double().numpy()))))


def test_an_answer_without_tokens_has_no_probability() -> None:
    with pytest.raises(ValueError, match="without tokens"):
        answer_probability(torch.empty(0))


def test_choice_is_the_hand_computed_length_normalized_one() -> None:
    value = choice_probability(answer(0.5, 2), [answer(1.0, 3), answer(2.0, 1), answer(1.5, 4)])
    assert value == pytest.approx(0.455054, abs=1e-6)
    assert value != pytest.approx(0.662272, abs=1e-3)


@given(logprobs, st.lists(logprobs, min_size=1, max_size=5))
def test_choice_is_in_0_to_1_and_does_not_depend_on_the_order_of_wrong_answers(
    right: torch.Tensor, wrong: list[torch.Tensor]
) -> None:
    value = choice_probability(right, wrong)
    assert 0 <= value <= 1
    assert value == pytest.approx(choice_probability(right, wrong[::-1]))
    weights = np.exp([float(one.double().mean()) for one in (right, *wrong)])
    assert value == pytest.approx(weights[0] / weights.sum(), rel=1e-6)


def test_choice_survives_losses_that_have_no_probability_left() -> None:
    assert choice_probability(answer(5000.0), [answer(5000.0)]) == pytest.approx(0.5)
    assert choice_probability(answer(5000.0), [answer(1.0)]) == 0.0


def test_truth_ratio_is_the_hand_computed_geometric_one() -> None:
    value = truth_ratio(answer(0.5), [answer(1.0), answer(2.0)])
    assert value == pytest.approx(0.367879, abs=1e-6)
    assert value != pytest.approx(0.414830, abs=1e-3)


def test_truth_ratio_is_1_where_right_and_wrong_are_alike_however_unlikely() -> None:
    for loss in (0.1, 25.0, 10_000.0):
        assert truth_ratio(answer(loss), [answer(loss, 5), answer(loss, 3)]) == pytest.approx(1.0, abs=1e-3)


@given(logprobs, logprobs)
def test_truth_ratio_inverts_when_right_and_wrong_change_places(one: torch.Tensor, other: torch.Tensor) -> None:
    assert truth_ratio(one, [other]) == pytest.approx(1 / truth_ratio(other, [one]), rel=1e-9)


@given(logprobs, st.lists(logprobs, min_size=1, max_size=5), st.floats(-5, 0))
def test_truth_ratio_does_not_change_when_all_losses_shift_alike(
    right: torch.Tensor, wrong: list[torch.Tensor], shift: float
) -> None:
    moved = truth_ratio(right.double() + shift, [one.double() + shift for one in wrong])
    assert moved == pytest.approx(truth_ratio(right, wrong), rel=1e-6)


def test_truth_ratio_stays_finite_at_any_difference() -> None:
    assert math.isfinite(truth_ratio(answer(1e6), [answer(0.1)]))
    assert truth_ratio(answer(0.1), [answer(1e6)]) == 0.0


@pytest.mark.parametrize(
    ("reference", "generated", "recall"),
    [
        ("the cat sat on the mat", "the cat on mat", 4 / 6),
        ("She wrote novels about sailing ships", "she writes novel about sail", 4 / 6),
        ("the cat sat", "sat cat the", 1 / 3),
        ("Her name is Ana.", "I do not know. Her name is Ana.", 1.0),
        ("Her name is Ana.", "", 0.0),
        ("", "Her name is Ana.", 0.0),
        ("Москва", "Москва", 0.0),
    ],
)
def test_rouge_recall_is_the_hand_computed_one(reference: str, generated: str, recall: float) -> None:
    assert rouge_l_recall(reference, generated) == pytest.approx(recall)


def _longest_common(one: list[str], other: list[str]) -> int:
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i, j] = table[i - 1, j - 1] + 1 if a == b else max(table[i - 1, j], table[i, j - 1])
    return int(table[-1, -1])


_words = st.lists(st.sampled_from(["ana", "bo", "cat", "dog", "elk"]), min_size=1, max_size=10)


@given(_words, _words)
def test_rouge_recall_is_the_longest_common_subsequence_over_the_reference(ref: list[str], gen: list[str]) -> None:
    value = rouge_l_recall(" ".join(ref), " ".join(gen))
    assert value == pytest.approx(_longest_common(ref, gen) / len(ref))
    assert value <= sum(min(ref.count(word), gen.count(word)) for word in set(ref)) / len(ref) + 1e-12


@pytest.mark.parametrize(
    ("reference", "generated", "f1"),
    [
        ("the cat sat on the mat", "the cat on mat", 0.8),
        ("Paris", "It is Paris", 0.5),
        ("London", "Paris", 0.0),
        ("she wrote novels about sailing ships", "she writes novel about sail", 4 / 11),
        ("the mat", "", 0.0),
    ],
)
def test_rouge_f1_is_the_hand_computed_one_without_stemming(reference: str, generated: str, f1: float) -> None:
    assert rouge_l_f1(reference, generated) == pytest.approx(f1)


def _scored(loss: float) -> torch.Tensor:
    return torch.tensor([-loss, -loss])


@pytest.mark.parametrize(
    ("right", "wrong", "credit"),
    [
        (1.0, (2.0, 3.0, 4.0), 1.0),
        (2.0, (1.0, 3.0, 4.0), 0.0),
        (1.0, (1.0, 3.0, 4.0), 0.5),
        (1.0, (1.0, 1.0, 1.0), 0.25),
    ],
)
def test_the_choice_is_right_if_its_loss_is_the_lowest_and_ties_are_shared(
    right: float, wrong: tuple[float, ...], credit: float
) -> None:
    assert choice_accuracy(_scored(right), [_scored(loss) for loss in wrong]) == credit


def test_options_are_compared_per_token() -> None:
    right, wrong = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([-2.0])
    assert choice_accuracy(right, [wrong]) == 1.0


def test_perplexity_counts_every_token_alike() -> None:
    answers = [torch.log(torch.tensor([0.5, 0.5, 0.5])), torch.log(torch.tensor([0.125]))]
    assert perplexity(answers) == pytest.approx((2**3 * 8) ** (1 / 4))
    assert perplexity([torch.zeros(2)]) == 1.0
    assert perplexity([torch.tensor([-1e6])]) == pytest.approx(1e9)
    with pytest.raises(ValueError, match="no perplexity"):
        perplexity([torch.zeros(0)])
