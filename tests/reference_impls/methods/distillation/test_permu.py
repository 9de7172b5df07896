from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint, gradient_of, softmax, token_logits

from reference_impls.methods.distillation.permu import PerMU, blurred, permu_loss, to_blur
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData

ROWS = st.lists(st.floats(-6, 6), min_size=4, max_size=4)
CLEAR, BLURRED = [4.0, 1.0, 0.0], [1.0, 1.0, 0.5]


def _term(clear: list[float], noisy: list[float], contrast: float, named: bool = False) -> tuple[float, np.ndarray]:
    """The loss of one token and its gradient at the logits."""
    out = token_logits([clear], [0])
    value = permu_loss(out.with_logits(torch.tensor([noisy])), out, torch.tensor([named]), contrast)
    value.backward()
    return value.item(), np.asarray(gradient_of(out.logits)[0])


@pytest.mark.parametrize(
    ("contrast", "target", "loss"),
    [(0.1, (0.307248, 0.414742, 0.278010), 1.338671), (0.0, softmax(BLURRED), 1.073257)],
)
def test_loss_and_gradient_on_the_toy_are_the_hand_computed_ones(
    contrast: float, target: tuple[float, ...], loss: float
) -> None:
    value, gradient = _term(CLEAR, BLURRED, contrast)
    assert value == pytest.approx(loss, abs=1e-5)
    assert_allclose(gradient, softmax(CLEAR) - np.asarray(target), atol=1e-6)


@given(ROWS, ROWS, st.floats(0, 0.9))
def test_the_subjects_own_tokens_are_left_alone_and_no_loss_is_negative(
    clear: list[float], noisy: list[float], contrast: float
) -> None:
    assert _term(clear, noisy, contrast)[0] >= -1e-5
    value, gradient = _term(clear, noisy, contrast, named=True)
    assert value == 0
    assert not gradient.any()


@given(ROWS, st.floats(0, 0.9))
def test_a_name_that_is_not_read_leaves_tempering(clear: list[float], contrast: float) -> None:
    flatter = softmax((1 - contrast) * np.asarray(clear))
    assert_allclose(_term(clear, clear, contrast)[1], softmax(clear) - flatter, atol=1e-5)


def test_what_is_blurred_where_nothing_is_mentioned() -> None:
    labels = torch.tensor([[-100, -100, 5, 6], [-100, -100, 5, -100], [-100, 4, 5, -100]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0]])
    mentions = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)
    batch = Encoded(torch.ones(3, 4, dtype=torch.long), mask, labels, torch.arange(3))
    assert to_blur(batch, mentions).int().tolist() == [[0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 1, 0]]


def test_noise_is_as_strong_as_is_said_and_nowhere_else(tiny: LanguageModel, data: UnlearningData) -> None:
    batch, before = tiny.encode(data.forget), fingerprint(tiny.model)
    places = tiny.subject_mentions(data.forget)
    drawn = torch.randn(*places.shape, tiny.width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (clear,) = tiny.outputs(batch, [tiny.blocks[0]])
    added = _read_by_second(tiny, batch, places, drawn) - clear
    size = np.sqrt(np.mean(np.square(clear[places].numpy())))
    assert_allclose(added, 2 * size * (drawn * places[:, :, None]), atol=1e-4)
    assert fingerprint(tiny.model) == before


def _read_by_second(model: LanguageModel, batch: Encoded, places: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    read: list[torch.Tensor] = []
    hook = model.blocks[1].register_forward_pre_hook(lambda module, given: read.append(given[0]))
    try:
        with torch.no_grad(), blurred(model, places, drawn, 2.0):
            model.token_logits(batch)
    finally:
        hook.remove()
    return read[0]


def test_loss_of_a_model_is_the_formula(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    mentions = tiny.subject_mentions(data.forget)
    drawn = torch.randn(*mentions.shape, tiny.width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        value = PerMU(contrast=0.2, noise=1.0, retain_weight=2.0).loss(tiny, batch, mentions, drawn).item()
        with blurred(tiny, mentions, drawn, 1.0):
            (noisy,) = tiny.token_logits(batch.forget)
        clear, retain = tiny.token_logits(batch.forget, batch.retain)
    now, then = clear.logits.double().numpy(), noisy.logits.double().numpy()
    target = softmax(then - 0.2 * now)
    each = (target * (np.log(target) - np.log(softmax(now)))).sum(axis=1)
    sequence, place = (part.numpy() for part in batch.forget.supervised)
    each[mentions.numpy()[sequence, place + 1]] = 0
    assert value == pytest.approx(_mean(each, clear) - 2 * _mean(retain.token_logprobs().numpy(), retain), rel=1e-4)


def _mean(values: np.ndarray, out: TokenLogits) -> float:
    """Over an answer's tokens, then over answers."""
    sequence = out.sequence.numpy()
    return float(np.mean([values[sequence == row].mean() for row in range(out.sequences)]))


def test_without_noise_and_contrast_there_is_nothing_to_learn(fresh: LanguageModel, data: UnlearningData) -> None:
    mentions, forget = fresh.subject_mentions(data.forget), fresh.encode(data.forget)
    nothing = Batch(forget, Encoded.empty(fresh.device), None)
    value = PerMU(contrast=0, noise=0).loss(fresh, nothing, mentions, torch.zeros(*mentions.shape, fresh.width))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    for weight in fresh.model.parameters():
        assert weight.grad is None or float(weight.grad.abs().max()) < 1e-5


def test_the_subject_is_forgotten_under_another_question_too(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=25, batch_size=4))
    unlearned = PerMU().unlearn(memorized.copy(), data, run)
    other = [replace(pair, prompt=f"Tell me of {pair.subject}.\nAnswer:") for pair in data.forget]
    for pairs in (data.forget, other):
        before, after = (answer_probabilities(one, pairs) for one in (memorized, unlearned))
        assert after.mean() < before.mean() - 0.05
    kept, now = (answer_probabilities(one, data.retain) for one in (memorized, unlearned))
    assert now.mean() > kept.mean() - 0.05
