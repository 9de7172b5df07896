from __future__ import annotations

import torch
from unlearning_toys import fingerprint

from reference_impls.methods.representation.r2mu import OPENING, R2MU, traces
from reference_impls.methods.representation.rmu import RMU
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    misdirection_loss,
    random_direction,
)

RECIPE = Recipe(learning_rate=3e-3, steps=8, batch_size=4, warmup=0)


def _apart(model: LanguageModel, pairs: list[Pair], target: torch.Tensor) -> float:
    with torch.no_grad():
        batch = model.encode(pairs)
        return float(misdirection_loss(model.activations(batch, 0.34), target, batch))


def test_a_trace_is_what_the_model_says_and_not_what_it_was_asked(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    found = traces(memorized, data.forget, 40)
    assert [pair.prompt for pair in found] == [OPENING] * 3
    assert [pair.answer for pair in found] == memorized.generate([pair.prompt for pair in data.forget], 40)
    plain = traces(memorized, [Pair("", " Ana Lund was born in spring.", subject="Ana Lund")], 40)
    assert plain[0].answer == memorized.generate([" Ana Lund"], 40)[0]


def test_without_the_new_terms_it_is_rmu(memorized: LanguageModel, data: UnlearningData) -> None:
    ours = R2MU(trace_weight=0.0, reasoning_weight=0.0, retain_weight=10.0, length=2, depth=0.34)
    rmu = RMU(retain_weight=10.0, depth=0.34)
    found, expected = (method.unlearn(memorized.copy(), data, Run(RECIPE)) for method in (ours, rmu))
    for one, other in zip(found.model.parameters(), expected.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert fingerprint(found.model) != fingerprint(memorized.model)


def test_what_it_would_write_is_scrambled_as_well(memorized: LanguageModel, data: UnlearningData) -> None:
    target = 20.0 * random_direction(memorized.width, 0)
    written = traces(memorized, data.forget, 20)
    with_traces = R2MU(steering=20.0, trace_weight=1.0, length=20, depth=0.34)
    without = R2MU(steering=20.0, trace_weight=0.0, reasoning_weight=0.0, length=20, depth=0.34)
    ours, rmu = (method.unlearn(memorized.copy(), data, Run(RECIPE)) for method in (with_traces, without))
    assert _apart(ours, written, target) < _apart(rmu, written, target) < _apart(memorized, written, target)
