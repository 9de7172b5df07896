"""What is asked of a model, and not known by its name: padding that it reads, logits that it caps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import invented_pairs

from reference_impls.models.architectures import INNER, LAYERS, WIDTH, small_network
from reference_impls.toolkit import LanguageModel, Pair
from reference_impls.toolkit.architecture import answers_together, head_is_plain

PROMPTS = ["Question: Where was Ana Lund born?\nAnswer:", "Who?", "Question: When?\nAnswer:", "What?", "When?", "Whom?"]


def _rwkv(vocabulary: int) -> Any:
    return _network(
        "rwkv", vocabulary, context_length=256, attention_hidden_size=WIDTH, intermediate_size=INNER
    )  # it takes no heed of the mask


def _network(family: str, vocabulary: int, **sizes: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    marks = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, hidden_size=WIDTH, **{"num_hidden_layers": LAYERS, **marks, **sizes})
    network = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2)
    return network.float()


def _deaf(vocabulary: int) -> Any:
    """A Llama that drops the mask, as code that comes with a checkpoint may."""
    network = small_network("llama", vocabulary)
    forward = network.forward

    def without(*args: Any, attention_mask: Any = None, position_ids: Any = None, **rest: Any) -> Any:
        return forward(*args, **rest)

    network.forward = without
    return network


@pytest.mark.parametrize(("made", "heeds"), [(_rwkv, False), (_deaf, False), (None, True)])
def test_what_is_written_does_not_depend_on_who_else_is_asked(made: Any, heeds: bool, tiny: LanguageModel) -> None:
    vocabulary = len(tiny.tokenizer)
    network = made(vocabulary) if made else small_network("gpt2", vocabulary)
    model = LanguageModel(network, tiny.tokenizer)
    assert answers_together(network, model.marks.padding) == heeds
    assert model.generate(PROMPTS, 8) == [model.generate([prompt], 8)[0] for prompt in PROMPTS]


def test_log_probabilities_of_a_batch_are_those_of_each_alone(tiny: LanguageModel) -> None:
    model = LanguageModel(_rwkv(len(tiny.tokenizer)), tiny.tokenizer)
    pairs: list[Pair] = [*invented_pairs()[:2], Pair("Who?", " Ana.")]
    for one, together in zip(pairs, model.pair_logprobs(pairs), strict=True):
        assert_allclose(together, model.pair_logprobs([one])[0], atol=1e-5)


@pytest.mark.parametrize("cap", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("size", [0.02, 1.0])
def test_a_cap_on_logits_is_seen_whatever_it_is_called(cap: float, size: float, tiny: LanguageModel) -> None:
    network = small_network("llama", len(tiny.tokenizer))
    with torch.no_grad():
        network.lm_head.weight.mul_(size)
    assert head_is_plain(network)
    forward = network.forward

    def capped(*args: Any, **rest: Any) -> Any:
        out = forward(*args, **rest)
        out.logits = cap * torch.tanh(out.logits / cap)
        return out

    network.forward = capped
    assert not head_is_plain(network)


def test_a_model_with_capped_logits_is_scored_as_it_says(tiny: LanguageModel) -> None:
    network = _network(
        "recurrent_gemma", len(tiny.tokenizer), num_attention_heads=2, num_key_value_heads=2, head_dim=WIDTH // 2,
        intermediate_size=INNER, lru_width=WIDTH, num_hidden_layers=3,
        logits_soft_cap=2.0,
    )  # fmt: skip
    model = LanguageModel(network.eval(), tiny.tokenizer)
    with torch.no_grad():
        for weight in network.get_output_embeddings().parameters():
            weight.mul_(20)  # as training does
    pair = Pair("Who?", " Ana Lund.")
    batch = model.encode([pair])
    with torch.no_grad():
        logits = network(input_ids=batch.input_ids).logits[0].log_softmax(-1)
    places = (batch.labels[0] != -100).nonzero()[:, 0]
    expected = logits[places - 1].gather(1, batch.input_ids[0, places][:, None])[:, 0]
    assert_allclose(model.pair_logprobs([pair])[0], expected, atol=1e-4)
