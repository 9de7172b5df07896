from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.preference_optimization.door import DOOR
from reference_impls.methods.preference_optimization.w_door import WDOOR
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, refusal_and_npo, with_refusals

logprobs = st.lists(st.floats(-20, 0), min_size=1, max_size=6)


@pytest.mark.parametrize(("settings", "weight"), [({}, math.e), ({"weights": "inverse"}, 1 / math.e)])
def test_what_became_likelier_counts_more_or_less(settings: dict[str, str], weight: float) -> None:
    one = WDOOR(temperature=1.0, **settings).importance(torch.tensor([-1.0]), torch.tensor([-2.0]))  # type: ignore[arg-type]
    assert one.item() == pytest.approx(weight)


@given(logprobs, st.floats(0.5, 50), st.sampled_from(["exp", "inverse"]))
def test_what_dpo_did_not_change_has_the_weight_1(values: list[float], temperature: float, weights: str) -> None:
    same = torch.tensor(values)
    assert_allclose(WDOOR(temperature=temperature, weights=weights).importance(same, same), 1)
    paper, code = (WDOOR(temperature=temperature, weights=one).importance(same, same - 1) for one in ("exp", "inverse"))
    assert_allclose(paper * code, 1, rtol=1e-5)


def _batch(before: LanguageModel, data: UnlearningData) -> Batch:
    refused = [replace(pair, answer=pair.alternates[0]) for pair in with_refusals(data, random.Random(0), 1).forget]
    forget = replace(before.encode(data.forget), reference=torch.cat(before.pair_logprobs(data.forget)).clone())
    return Batch(forget, before.encode(data.retain), None, before.encode(refused))


def test_the_weights_stand_before_each_token_of_the_refusals_alone(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(tiny, data)
    with torch.no_grad():
        (refusal,) = memorized.token_logits(batch.preferred)
        weights = torch.linspace(0, 3, len(refusal.targets))
        plain = DOOR().loss(memorized, batch).item()
        ones = refusal_and_npo(memorized, batch, 0.5, 4.0, torch.ones_like(weights)).item()
        weighted = refusal_and_npo(memorized, batch, 0.5, 4.0, weights).item()
    more = np.sum((weights.numpy() - 1) * -refusal.token_logprobs().numpy()) / len(data.forget)
    assert ones == pytest.approx(plain)
    assert weighted - plain == pytest.approx(more, rel=1e-3)


def test_the_copy_alone_learns_by_dpo_and_its_weights_favor_the_first_words(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    own = WDOOR.importance

    def kept(self: WDOOR, sure: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        seen.append((sure, before))
        return own(self, sure, before)

    monkeypatch.setattr(WDOOR, "importance", kept)
    start = memorized.copy()
    recipe = Recipe(learning_rate=1e-3, steps=20, batch_size=6)
    after = WDOOR(refusals=1, beta=0.1).unlearn(start, data, Run(recipe))
    assert after is start
    assert fingerprint(after.model) != fingerprint(memorized.model)
    assert len(seen) == 10
    assert all(float((sure - before).mean()) > 0.1 for sure, before in seen)
    refused = [replace(pair, answer=pair.alternates[0]) for pair in with_refusals(data, random.Random(0), 1).forget]
    assert mean_logprob(after, refused) > mean_logprob(memorized, refused) + 1
    assert mean_logprob(after, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(after, data.retain) > mean_logprob(after, data.forget) + 0.5
