from __future__ import annotations

from dataclasses import replace

import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.modular.sisa_adapters import SISAAdapters
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, place_of

RECIPE = Recipe(learning_rate=1e-2, steps=3, batch_size=2)


def test_deleting_is_to_the_bit_never_having_trained_on_it(tiny: LanguageModel) -> None:
    pairs = invented_pairs()
    method, run = SISAAdapters(shards=3), Run(RECIPE, seed=5)
    ensemble = method.learn(tiny.copy(), pairs, run)
    learned = [[weight.detach().clone() for weight in ensemble.adapter(shard)] for shard in range(3)]
    request = pairs[:1]
    method.delete(ensemble, request, run)

    never = method.learn(tiny.copy(), pairs[1:], Run(RECIPE, seed=5))
    touched, _ = place_of(request[0], 3)
    for shard in range(3):
        same = [torch.equal(*two) for two in zip(ensemble.adapter(shard), never.adapter(shard), strict=True)]
        kept = [torch.equal(*two) for two in zip(ensemble.adapter(shard), learned[shard], strict=True)]
        assert same
        assert all(same)
        assert all(kept) == (shard != touched)
    asked = ([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    for one, other in zip(ensemble.answer_logprobs(*asked), never.answer_logprobs(*asked), strict=True):
        assert torch.equal(one, other)


def test_the_base_is_never_changed(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    ensemble = SISAAdapters(shards=2).unlearn(fresh, data, Run(RECIPE))
    base = {name.replace(".base_layer", ""): weight for name, weight in ensemble.adapted.model.named_parameters()}
    assert all(torch.equal(weight, base[name]) for name, weight in tiny.model.named_parameters())
    assert fingerprint(ensemble.model.model) == fingerprint(tiny.model)  # what is saved has no adapters in it


def test_an_emptied_shard_votes_as_the_base_does(tiny: LanguageModel, data: UnlearningData) -> None:
    ensemble = SISAAdapters(shards=1).unlearn(tiny.copy(), replace(data, retain=()), Run(RECIPE))
    asked = ([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget])
    for one, other in zip(ensemble.answer_logprobs(*asked), tiny.answer_logprobs(*asked), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_one_shard_decodes_as_the_model_with_its_adapter(tiny: LanguageModel) -> None:
    pairs = invented_pairs()
    recipe = Recipe(learning_rate=1e-2, steps=30, batch_size=8)
    ensemble = SISAAdapters(shards=1).learn(tiny.copy(), pairs, Run(recipe))
    prompts = [pair.prompt for pair in pairs]
    texts = ensemble.generate(prompts, 12)
    assert texts == ensemble.adapted.generate(prompts, 12)
    assert any(texts)


def test_the_decoded_text_is_the_most_likely_under_the_mean(tiny: LanguageModel) -> None:
    pairs = invented_pairs()
    ensemble = SISAAdapters(shards=2).learn(tiny.copy(), pairs, Run(replace(RECIPE, steps=60, batch_size=8)))
    prompt = pairs[0].prompt
    (first,) = ensemble.generate([prompt], 1)
    words = sorted({tiny.tokenizer.decode([token]) for token in range(2, len(tiny.tokenizer))})
    single = [word for word in words if len(tiny.tokenizer(word, add_special_tokens=False)["input_ids"]) == 1]
    likely = [float(one[0]) for one in ensemble.answer_logprobs([prompt] * len(single), single)]
    assert single[likely.index(max(likely))].strip() == first


def test_the_deleted_pairs_are_unlearned_and_the_others_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-2, steps=40, batch_size=8))
    method = SISAAdapters(shards=1)
    ensemble = method.learn(tiny.copy(), [*data.forget, *data.retain], run)

    forget, retain = mean_logprob(ensemble, data.forget), mean_logprob(ensemble, data.retain)
    method.delete(ensemble, data.forget, run)
    assert mean_logprob(ensemble, data.forget) < forget - 0.3
    assert mean_logprob(ensemble, data.retain) > retain - 0.1


def test_the_adapters_are_what_is_kept_besides_the_weights(tiny: LanguageModel, data: UnlearningData) -> None:
    ensemble = SISAAdapters(shards=2, rank=1).unlearn(tiny.copy(), data, Run(replace(RECIPE, steps=1)))
    assert ensemble.to_json() == {"shards": 2, "rank": 1, "alpha": 16.0}
    kept = ensemble.tensors()
    for shard in range(2):
        own = [weight for name, weight in kept.items() if f".shard{shard}." in name]
        for one, other in zip(own, ensemble.adapter(shard), strict=True):
            assert torch.equal(one, other.detach())
