"""Losses that several methods share, where no method's own tests are about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import FORGET_LOGITS, FORGET_REFERENCE, FORGET_TARGETS, log_ratios, losses, token_logits

from reference_impls.toolkit import Batch, Encoded, LanguageModel, Pair, UnlearningData, ascent_or_npo, dpo_with_retain


def test_dpo_with_retain_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    others = [replace(pair, answer=f" {pair.subject} likes winter.") for pair in data.forget]

    def encoded(pairs: Sequence[Pair]) -> Encoded:
        return replace(tiny.encode(pairs), reference=torch.cat(tiny.pair_logprobs(pairs)).clone())

    batch = Batch(encoded(data.forget), memorized.encode(data.retain), None, encoded(others))
    with torch.no_grad():
        value = dpo_with_retain(memorized, batch, 0.2, 2.0).item()
    margin = log_ratios(memorized, tiny, others) - log_ratios(memorized, tiny, data.forget)
    kept = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(2 / 0.2 * np.logaddexp(0, -0.2 * margin).mean() + 2 * kept), rel=1e-4)


def test_what_works_on_top_of_ascent_or_npo_has_the_loss_of_either() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    reference = -torch.from_numpy(losses(FORGET_REFERENCE, FORGET_TARGETS))
    nll = losses(FORGET_LOGITS, FORGET_TARGETS)
    assert ascent_or_npo(out, None, "ascent", 0.1).item() == pytest.approx(-nll.mean(), rel=1e-5)
    fallen = float(nll.sum() + reference.sum())
    expected = 2 / 0.3 * np.logaddexp(0, -0.3 * fallen)
    assert ascent_or_npo(out, reference, "npo", 0.3).item() == pytest.approx(expected, rel=1e-5)
