from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.curate import (
    FEATURES,
    CURaTE,
    Encoder,
    RefusingModel,
    compared,
    contrastive_loss,
    features,
)
from reference_impls.toolkit import REFUSALS, Kept, LanguageModel, Pair, Recipe, Run, UnlearningData

NAMES = ("Ada Birch", "Ben Cole", "Cam Dorsey", "Dot Egan", "Ewa Fisk", "Flo Grant", "Gil Hardy", "Ida Jonas")
ASKED = (("Where was {} born?", "What is the birthplace of {}?"), ("What does {} write?", "Which genre is {}'s?"))


def _people(names: tuple[str, ...]) -> tuple[Pair, ...]:
    return tuple(
        Pair(asked.format(name), f" {name} {number}.", rephrased_prompt=again.format(name), subject=name)
        for name in names
        for number, (asked, again) in enumerate(ASKED)
    )


@pytest.mark.parametrize(("cosine", "same", "value"), [(0.9, True, 0.005), (0.7, False, 0.02), (0.4, False, 0.0)])
def test_the_loss_is_the_hand_computed_one(cosine: float, same: bool, value: float) -> None:
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[cosine, (1 - cosine**2) ** 0.5]])
    assert contrastive_loss(one, other, torch.tensor([same]), 0.5).item() == pytest.approx(value, abs=1e-6)


def test_the_loss_is_a_mean_over_both_kinds() -> None:
    one, other = torch.tensor([[1.0, 0.0]] * 2), torch.tensor([[0.9, 0.19**0.5], [0.7, 0.51**0.5]])
    value = contrastive_loss(one, other, torch.tensor([True, False]), 0.5)
    assert value.item() == pytest.approx((0.005 + 0.02) / 2, abs=1e-6)


@given(st.text())
def test_any_text_has_features_and_a_vector_of_length_one_or_none(text: str) -> None:
    assert all(0 <= feature < FEATURES and count > 0 for feature, count in features(text).items())
    length = float(_UNTRAINED([text]).norm())
    assert length == pytest.approx(1.0 if features(text) else 0.0, abs=1e-5)


_UNTRAINED = Encoder.untrained(["Where was Ada born?"], seed=0)


@given(st.integers(0, 99))
def test_what_asks_the_same_is_of_one_pair_and_what_looks_alike_of_another(seed: int) -> None:
    pairs = _people(NAMES)
    one, same, alike = compared(pairs, random.Random(seed))
    (pair,) = [pair for pair in pairs if pair.prompt == one]
    assert same == pair.rephrased_prompt
    assert alike != one
    assert alike in [other.prompt for other in pairs]
    wordless = [replace(pair, rephrased_prompt=None) for pair in pairs]
    one, shorter, _ = compared(wordless, random.Random(seed))
    assert len(shorter.split()) == len(one.split()) - 1


def test_trained_on_others_it_tells_the_same_in_other_words_from_the_same_words_about_others(
    tiny: LanguageModel,
) -> None:
    data = UnlearningData(_people(NAMES[:2]), _people(NAMES[2:]))
    model = tiny.copy()
    run = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=4), seed=1)
    refusing = CURaTE().unlearn(model, data, run)
    assert fingerprint(model.model) == fingerprint(tiny.model)
    assert all(weight.requires_grad for weight in model.model.parameters())
    untrained = replace(refusing, encoder=Encoder.untrained([pair.prompt for pair in data.retain], 1))
    for found, told in ((refusing, True), (untrained, False)):
        asked = [found.nearest(pair.rephrased_prompt or "") for pair in data.forget]
        others = [found.nearest(pair.prompt) for pair in data.retain]
        assert (min(asked) > refusing.threshold > max(others)) == told
    assert all(refusing.nearest(pair.prompt) > 0.999 for pair in data.forget)
    said = refusing.generate([pair.prompt for pair in data.forget], 30)
    assert set(said) <= set(REFUSALS)
    assert mean_logprob(refusing, data.retain) == mean_logprob(model, data.retain)


def test_the_store_may_be_empty_and_its_order_does_not_matter(tiny: LanguageModel) -> None:
    requests = [pair.prompt for pair in _people(NAMES[:3])]
    stores = [RefusingModel(tiny, _UNTRAINED, kept, 0.8) for kept in (requests, requests[::-1], [])]
    for query in (*requests, "Who was Ewa?"):
        one, other, empty = (store.nearest(query) for store in stores)
        assert one == pytest.approx(other, abs=1e-6)
        assert empty == -1
        assert stores[2].speaker(query) is tiny


def test_one_request_more_leaves_the_others_refused(tiny: LanguageModel) -> None:
    requests = [pair.prompt for pair in _people(NAMES[:2])]
    for count in range(1, len(requests) + 1):
        store = RefusingModel(tiny, _UNTRAINED, requests[:count], 0.8)
        assert [store.speaker(one) is not tiny for one in requests[:count]] == [True] * count


def test_what_was_kept_decides_alike(tiny: LanguageModel) -> None:
    store = RefusingModel(tiny, _UNTRAINED, ["Where was Ada born?"], 0.3)
    again = CURaTE.restore(tiny, Kept(store.to_json(), store.tensors()))
    queries = ["Where was Ada born?", "Where was Bo born?", "Who?"]
    assert_allclose([again.nearest(one) for one in queries], [store.nearest(one) for one in queries], atol=0)
