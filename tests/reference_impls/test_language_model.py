from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import CHAT_TEMPLATE, fingerprint, gradient_of, hooks, losses

from reference_impls.toolkit import IGNORE, LanguageModel, Pair, SoftPrompted, logprobs, mean_kl, mean_nll, padding
from reference_impls.toolkit.encoding import prompt_ids
from reference_impls.toolkit.padding import alike_lengths


def _with_tokenizer(model: LanguageModel, change: Callable[[Any], None]) -> LanguageModel:
    """The same model behind a changed copy of its tokenizer."""
    tokenizer = copy.deepcopy(model.tokenizer)
    change(tokenizer)
    return LanguageModel(model.model, tokenizer)


def _add_start(tokenizer: Any, *, close: bool = False) -> None:
    """Let the tokenizer start every text with a mark, and maybe close it too, as Llama's and T5's do."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.add_special_tokens({"bos_token": "<s>"})
    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"<s> $A {end}" if close else "<s> $A",
        special_tokens=[("<s>", tokenizer.bos_token_id), (end, tokenizer.eos_token_id)],
    )


def _by_hand(model: LanguageModel, pair: Pair) -> np.ndarray:
    """Log-probabilities of an answer's tokens, from the whole logits of one unpadded sequence, in numpy."""
    prompt = model.tokenizer(pair.prompt)["input_ids"]
    answer = [*model.tokenizer(pair.answer)["input_ids"], model.tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([prompt + answer])).logits[0].double().numpy()
    places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
    return -losses(logits[list(places)], answer)


# Text -> tokens


def test_only_the_answer_and_its_end_are_labelled(tiny: LanguageModel) -> None:
    pair = Pair("Question: Who?\nAnswer:", " Ana Lund.")
    encoded = tiny.encode([pair])
    answer = tiny.tokenizer(pair.answer)["input_ids"]
    labelled = encoded.labels[0][encoded.labels[0] != IGNORE].tolist()
    assert labelled == [*answer, tiny.tokenizer.eos_token_id]
    assert tiny.tokenizer.decode(encoded.input_ids[0, : -len(labelled)]) == pair.prompt


def test_every_token_of_a_subject_is_found_in_prompt_and_answer_wherever_they_are_cut(tiny: LanguageModel) -> None:
    pair = Pair("Ana Lund likes Bo and Ana Lund\nAnswer:", " Ana Lund was born. Lund is Ana Lund.", subject="Ana Lund")
    unnamed = Pair(pair.prompt, " Who?", subject="Cy Okafor")
    ids = tiny.encode([pair, unnamed]).input_ids
    mentions = tiny.subject_mentions([pair, unnamed])
    assert mentions.shape == ids.shape
    assert tiny.tokenizer.decode(ids[0][mentions[0]]).replace(" ", "") == "AnaLund" * 4
    assert not mentions[1].any()
    assert not tiny.subject_mentions([replace(pair, subject="")]).any()
    for closed in (True, False):
        whole = tiny.subject_mentions([replace(pair, closed=closed)])[0]
        short = replace(tiny, max_length=len(whole) - 2).subject_mentions([replace(pair, closed=closed)])[0]
        assert short.tolist() == whole[2:].tolist()


def test_padding_is_on_the_right_masked_and_never_labelled(tiny: LanguageModel, pairs: list[Pair]) -> None:
    encoded = tiny.encode(pairs)
    for row, pair in enumerate(pairs):
        length = tiny.encode([pair]).input_ids.shape[1]
        assert encoded.attention_mask[row].tolist() == [1] * length + [0] * (encoded.input_ids.shape[1] - length)
        assert set(encoded.labels[row, length:].tolist()) <= {IGNORE}
        assert encoded.labels[row, length - 1] == tiny.tokenizer.eos_token_id


def test_labels_are_the_tokens_themselves(tiny: LanguageModel, pairs: list[Pair]) -> None:
    encoded = tiny.encode(pairs)
    on = encoded.labels != IGNORE
    assert torch.equal(encoded.labels[on], encoded.input_ids[on])


def test_an_open_text_gets_no_end_of_sequence(tiny: LanguageModel) -> None:
    encoded = tiny.encode([Pair("", "Ana Lund was born", closed=False)])
    assert tiny.tokenizer.eos_token_id not in encoded.labels[0].tolist()


def test_an_empty_prompt_is_given_a_token_so_that_the_first_answer_token_is_predicted(tiny: LanguageModel) -> None:
    text = "Ana Lund was born"
    encoded = tiny.encode([Pair("", text, closed=False)])
    assert len(encoded.supervised[0]) == len(tiny.tokenizer(text)["input_ids"])


def test_rows_are_the_given_ones(tiny: LanguageModel, pairs: list[Pair]) -> None:
    assert tiny.encode(pairs[:2], [7, 3]).rows.tolist() == [7, 3]
    assert tiny.encode(pairs[:2]).rows.tolist() == [0, 1]


def test_a_long_prompt_is_cut_on_the_left_and_a_long_answer_on_the_right(tiny: LanguageModel) -> None:
    short = LanguageModel(tiny.model, tiny.tokenizer, max_length=12)
    words = " ".join(f"word{number}" for number in range(40))
    encoded = short.encode([Pair(words, " yes"), Pair("no ", words)])
    prompt, answer = short.tokenizer(words)["input_ids"], short.tokenizer(" yes")["input_ids"]
    assert encoded.input_ids.shape == (2, 12)
    assert encoded.input_ids[0].tolist() == [
        *prompt[-(12 - len(answer) - 1) :],
        *answer,
        short.tokenizer.eos_token_id,
    ]
    assert encoded.labels[1].tolist() == [IGNORE, *prompt[:11]]


def test_a_tokenizer_without_padding_pads_with_its_end_token_and_still_counts_the_true_end(
    tiny: LanguageModel, pairs: list[Pair]
) -> None:
    def drop(tokenizer: Any) -> None:
        tokenizer.pad_token = None

    bare = _with_tokenizer(tiny, drop)
    assert bare.tokenizer.pad_token_id == bare.tokenizer.eos_token_id
    for one, other in zip(bare.pair_logprobs(pairs), tiny.pair_logprobs(pairs), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_a_model_without_chat_template_is_asked_in_plain_words(tiny: LanguageModel) -> None:
    assert tiny.question("Who?") + tiny.answer("Ana.") == "Question: Who?\nAnswer: Ana."


def test_a_chat_template_is_used_and_gets_no_extra_space(tiny: LanguageModel) -> None:
    def add(tokenizer: Any) -> None:
        tokenizer.chat_template = CHAT_TEMPLATE

    chat = _with_tokenizer(tiny, add)
    assert chat.question("Who?") + chat.answer("Ana.") == "[user]Who?[assistant]Ana."


def test_every_prompt_starts_with_one_start_mark_whether_written_or_not(tiny: LanguageModel) -> None:
    marked = _with_tokenizer(tiny, _add_start)
    start = marked.tokenizer.bos_token_id
    for prompt in ("Who is it?", "<s>Who is it?", ""):
        ids = prompt_ids(marked.tokenizer, prompt)
        assert ids[0] == start
        assert ids.count(start) == 1


def test_a_chat_template_that_writes_the_start_mark_is_not_marked_twice(tiny: LanguageModel) -> None:
    def add(tokenizer: Any) -> None:
        _add_start(tokenizer)
        tokenizer.chat_template = "{{ bos_token }}" + CHAT_TEMPLATE

    chat = _with_tokenizer(tiny, add)
    pair = Pair(chat.question("Who?"), chat.answer("Ana."))
    assert pair.prompt.startswith("<s>")
    assert chat.encode([pair]).input_ids[0].tolist().count(chat.tokenizer.bos_token_id) == 1


def test_an_answer_never_gets_a_start_mark(tiny: LanguageModel) -> None:
    marked = _with_tokenizer(tiny, _add_start)
    labels = marked.encode([Pair("Who?", " Ana.")]).labels[0]
    assert marked.tokenizer.bos_token_id not in labels.tolist()


def test_a_tokenizer_that_closes_every_text_leaves_prompts_open(tiny: LanguageModel) -> None:
    closing = _with_tokenizer(tiny, lambda tokenizer: _add_start(tokenizer, close=True))
    assert prompt_ids(closing.tokenizer, "Who?")[-1] != closing.tokenizer.eos_token_id
    ids = closing.encode([Pair("Who?", " Ana.")]).input_ids[0].tolist()
    assert ids.count(closing.tokenizer.eos_token_id) == 1
    assert ids[-1] == closing.tokenizer.eos_token_id


# Tokens -> log-probabilities


def test_log_probabilities_are_those_of_whole_unpadded_logits(tiny: LanguageModel, pairs: list[Pair]) -> None:
    for pair, values in zip(pairs, tiny.pair_logprobs(pairs), strict=True):
        assert_allclose(values, _by_hand(tiny, pair), atol=1e-5)


def test_a_batch_gives_what_each_pair_gives_alone(tiny: LanguageModel, pairs: list[Pair]) -> None:
    for pair, values in zip(pairs, tiny.pair_logprobs(pairs), strict=True):
        assert_allclose(values, tiny.pair_logprobs([pair])[0], atol=1e-5)


def test_small_batches_give_answers_in_the_order_asked(tiny: LanguageModel, pairs: list[Pair]) -> None:
    small = LanguageModel(tiny.model, tiny.tokenizer, batch_size=3)
    mixed = [pairs[row] for row in (5, 0, 7, 2, 6, 1, 4, 3)]
    for one, other in zip(small.pair_logprobs(mixed), tiny.pair_logprobs(mixed), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_prompts_and_answers_are_scored_as_pairs(tiny: LanguageModel, pairs: list[Pair]) -> None:
    scored = tiny.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    for one, other in zip(scored, tiny.pair_logprobs(pairs), strict=True):
        assert torch.equal(one, other)


def test_full_logits_give_what_the_head_at_answers_gives(tiny: LanguageModel, pairs: list[Pair]) -> None:
    full = LanguageModel(tiny.model, tiny.tokenizer)
    full._head_is_plain = False
    assert tiny._head_is_plain
    (one,), (other,) = tiny.token_logits(tiny.encode(pairs)), full.token_logits(full.encode(pairs))
    assert_allclose(one.logits.detach(), other.logits.detach(), atol=1e-5)
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.sequence, other.sequence)


def test_several_batches_in_one_pass_give_what_each_gives_alone(tiny: LanguageModel, pairs: list[Pair]) -> None:
    first, second, third = tiny.encode(pairs[:2]), tiny.encode(pairs[2:7]), tiny.encode(pairs[7:])
    together = tiny.token_logits(first, second, third)
    for joined, batch in zip(together, (first, second, third), strict=True):
        (alone,) = tiny.token_logits(batch)
        assert joined.sequences == len(batch)
        assert torch.equal(joined.targets, alone.targets)
        assert torch.equal(joined.sequence, alone.sequence)
        assert_allclose(joined.logits.detach(), alone.logits.detach(), atol=1e-5)


def test_logits_are_32_bit_even_for_a_16_bit_model(fresh: LanguageModel, pairs: list[Pair]) -> None:
    fresh.model.to(torch.bfloat16)
    (out,) = fresh.token_logits(fresh.encode(pairs))
    assert out.logits.dtype == torch.float32


def test_gradients_flow_where_they_are_on_and_not_in_evaluation(fresh: LanguageModel, pairs: list[Pair]) -> None:
    (out,) = fresh.token_logits(fresh.encode(pairs))
    assert out.logits.requires_grad
    assert not any(values.requires_grad for values in fresh.pair_logprobs(pairs))


@pytest.mark.parametrize("family", ["gpt2", "opt", "gpt_neox", "cohere", "granite", "qwen2"])
def test_other_architectures_give_the_same_log_probabilities_in_a_batch_as_by_hand(
    family: str, tiny: LanguageModel, pairs: list[Pair]
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "vocab_size": len(tiny.tokenizer),
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 0,
    } | (
        {"n_embd": 16, "n_layer": 2, "n_head": 2}
        if family == "gpt2"
        else {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
        | ({"ffn_dim": 32, "word_embed_proj_dim": 16} if family == "opt" else {"intermediate_size": 32})
        | ({"logit_scale": 0.3} if family == "cohere" else {})
        | ({"logits_scaling": 7.0} if family == "granite" else {})
    )
    if family in ("opt", "gpt_neox"):
        sizes.pop("num_key_value_heads")
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes))
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)  # untrained heads are nearly flat; make wrong scales show
    model = LanguageModel(network, tiny.tokenizer)
    assert model._head_is_plain == (family not in ("cohere", "granite"))
    for pair, values in zip(pairs, model.pair_logprobs(pairs), strict=True):
        assert_allclose(values, _by_hand(model, pair), atol=2e-5)


# Generation


def test_generation_in_a_batch_is_that_of_each_prompt_alone(tiny: LanguageModel, pairs: list[Pair]) -> None:
    prompts = [pair.prompt + pair.answer[: 7 * row] for row, pair in enumerate(pairs)]
    together = tiny.generate(prompts, 12)
    assert together == [tiny.generate([prompt], 12)[0] for prompt in prompts]
    assert len(set(together)) > 1


def test_generation_is_the_greedy_continuation(tiny: LanguageModel, pairs: list[Pair]) -> None:
    ids = tiny.tokenizer(pairs[0].prompt)["input_ids"]
    said: list[int] = []
    with torch.no_grad():
        for _ in range(8):
            said.append(int(tiny.model(input_ids=torch.tensor([ids + said])).logits[0, -1].argmax()))
            if said[-1] == tiny.tokenizer.eos_token_id:
                break
    assert tiny.generate([pairs[0].prompt], 8) == [tiny.tokenizer.decode(said, skip_special_tokens=True).strip()]


def test_generation_keeps_the_order_of_prompts_over_several_batches(tiny: LanguageModel, pairs: list[Pair]) -> None:
    small = LanguageModel(tiny.model, tiny.tokenizer, batch_size=3)
    prompts = [pairs[row].prompt + pairs[row].answer for row in (5, 0, 7, 2, 6, 1, 4, 3)]
    assert small.generate(prompts, 6) == tiny.generate(prompts, 6)


def test_generation_answers_an_empty_prompt(tiny: LanguageModel) -> None:
    assert len(tiny.generate([""], 4)) == 1


def test_sampling_follows_the_models_distribution(tiny: LanguageModel, pairs: list[Pair]) -> None:
    prompt = pairs[0].prompt
    ids = torch.tensor([tiny.tokenizer(prompt)["input_ids"]])
    with torch.no_grad():
        chances = torch.softmax(3 * tiny.model(input_ids=ids).logits[0, -1], dim=0)
    torch.manual_seed(0)
    drawn = tiny.sample([prompt] * 2000, 1, temperature=1 / 3)
    firsts = Counter(drawn)
    common = sorted(range(len(chances)), key=lambda token: -float(chances[token]))[:5]
    for token in common:
        text = tiny.tokenizer.decode([token], skip_special_tokens=True).strip()
        alike = [
            other
            for other in range(len(chances))
            if tiny.tokenizer.decode([other], skip_special_tokens=True).strip() == text
        ]
        expected = float(chances[alike].sum())
        assert abs(firsts[text] / 2000 - expected) < 4 * (expected / 2000) ** 0.5 + 1e-9


def test_sampling_near_temperature_zero_is_greedy_and_a_seed_repeats_it(tiny: LanguageModel, pairs: list[Pair]) -> None:
    prompts = [pair.prompt for pair in pairs]
    assert tiny.sample(prompts, 6, temperature=1e-4) == tiny.generate(prompts, 6)
    torch.manual_seed(5)
    first = tiny.sample(prompts, 6)
    torch.manual_seed(5)
    assert tiny.sample(prompts, 6) == first != tiny.generate(prompts, 6)


# The model as a whole


def test_samples_follow_the_model_and_differ_with_the_seed(learned: LanguageModel, pairs: list[Pair]) -> None:
    # By heart, there is one thing to say only; an untrained model says anything.
    prompts = [pair.prompt for pair in pairs]
    assert learned.sample(prompts, 30) == [pair.answer.strip() for pair in pairs]


def test_samples_are_those_of_the_seed(tiny: LanguageModel, pairs: list[Pair]) -> None:
    prompts = [pairs[0].prompt] * 3
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(tiny.sample(prompts, 8))
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 3


def test_looking_at_a_model_in_training_leaves_it_in_training(fresh: LanguageModel) -> None:
    with fresh.training():
        with fresh.evaluating():
            assert not fresh.model.training
        assert fresh.model.training
    with fresh.evaluating():
        pass
    assert not fresh.model.training


def test_a_copy_is_independent(tiny: LanguageModel) -> None:
    before, twin = fingerprint(tiny.model), tiny.copy()
    with torch.no_grad():
        next(twin.model.parameters()).add_(1)
    assert fingerprint(tiny.model) == before
    assert fingerprint(twin.model) != before


def test_a_frozen_copy_takes_no_gradients_and_leaves_the_model_trainable(fresh: LanguageModel) -> None:
    frozen = fresh.frozen()
    assert not any(weight.requires_grad for weight in frozen.model.parameters())
    assert all(weight.requires_grad for weight in fresh.model.parameters())


def test_after_training_comes_evaluation_even_after_an_error(fresh: LanguageModel) -> None:
    def stop() -> None:
        with fresh.training():
            assert fresh.model.training
            assert torch.is_grad_enabled()
            raise RuntimeError("stop")

    with torch.no_grad(), pytest.raises(RuntimeError, match="stop"):
        stop()
    assert not fresh.model.training


def test_a_saved_model_loads_with_the_same_log_probabilities(
    saved_tiny: Path, tiny: LanguageModel, pairs: list[Pair]
) -> None:
    loaded = LanguageModel.load(saved_tiny)
    for one, other in zip(loaded.pair_logprobs(pairs), tiny.pair_logprobs(pairs), strict=True):
        assert_allclose(one, other, atol=1e-6)


def test_depth_counts_blocks_from_first_to_last(tiny: LanguageModel) -> None:
    assert [tiny.layer_at(depth) for depth in (0.0, 0.34, 1.0)] == [0, 1, tiny.layers - 1]


@pytest.mark.parametrize("depth", [0.0, 0.34, 1.0])
def test_activations_are_the_residual_stream_after_the_block(
    depth: float, tiny: LanguageModel, pairs: list[Pair]
) -> None:
    batch = tiny.encode(pairs)
    kept: list[torch.Tensor] = []
    block = tiny.model.model.layers[tiny.layer_at(depth)]
    hook = block.register_forward_hook(
        lambda module, given, out: kept.append(out[0] if isinstance(out, tuple) else out)
    )
    try:
        states = tiny.activations(batch, depth)
    finally:
        hook.remove()
    assert_allclose(states.detach(), kept[0][batch.supervised].detach(), atol=1e-6)


def test_several_modules_are_read_in_one_pass_and_behind_a_soft_prompt(tiny: LanguageModel, pairs: list[Pair]) -> None:
    batch, projections = tiny.encode(pairs[:3]), tiny.mlp_outputs(range(tiny.layers))
    before = hooks(tiny.model)
    with torch.no_grad():
        states = tiny.layer_activations(batch, range(tiny.layers))
        *written, last = tiny.outputs(batch, [*projections, tiny.blocks[-1]])
        (behind,) = SoftPrompted.of(tiny, torch.zeros(2, tiny.width)).outputs(batch, [tiny.blocks[0]])
    for layer, one in enumerate(states):
        assert torch.equal(one, tiny.activations(batch, layer / (tiny.layers - 1)).detach())
    assert [one.shape for one in written] == [(*batch.input_ids.shape, tiny.width)] * tiny.layers
    assert torch.equal(last[batch.supervised], states[-1])
    assert behind.shape == (*batch.input_ids.shape, tiny.width)
    assert hooks(tiny.model) == before


def test_the_same_texts_and_seed_give_the_same_model_and_another_seed_another(pairs: list[Pair]) -> None:
    from reference_impls.models.tiny import new_tiny_model

    texts = [pair.prompt for pair in pairs]
    one, same, other = new_tiny_model(texts, 1), new_tiny_model(texts, 1), new_tiny_model(texts, 2)
    assert fingerprint(one.model) == fingerprint(same.model)
    assert one.tokenizer.get_vocab() == same.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert fingerprint(one.model) != fingerprint(other.model)


@pytest.mark.parametrize("text", ["Ana Lund.", "Zürich, “Лима” and 東京\n\t!", "<|not special|>"])
def test_the_tiny_tokenizer_can_write_any_text(text: str, tiny: LanguageModel) -> None:
    assert tiny.tokenizer.decode(tiny.tokenizer(text)["input_ids"]) == text


# Padding


def test_batches_are_cut_where_padding_would_be_a_large_part_of_the_work() -> None:
    # Whole: 6 x 60 = 360 tokens. Cut after the four short ones: 4 x 12 + 2 x 60 = 168.
    groups = alike_lengths(torch.tensor([10, 60, 12, 11, 55, 10]))
    assert [group.tolist() for group in groups] == [[0, 2, 3, 5], [1, 4]]


@pytest.mark.parametrize("lengths", [[7], [20, 20, 20], [30, 28, 33, 21, 24]])
def test_batches_of_similar_lengths_stay_whole(lengths: list[int]) -> None:
    assert [group.tolist() for group in alike_lengths(torch.tensor(lengths))] == [list(range(len(lengths)))]


def test_a_cut_batch_gives_the_logits_and_gradients_of_the_whole_one(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = " ".join(["word"] * 60)
    pairs = [Pair("a", " b c"), Pair("a", f" {long}"), Pair("d e", " f"), Pair("", " g h"), Pair("a", " i")]

    def computed(spared: float) -> tuple[torch.Tensor, torch.Tensor]:
        monkeypatch.setattr(padding, "SPARED", spared)
        weight = next(tiny.model.parameters())
        weight.grad = None
        (out,) = tiny.token_logits(tiny.encode(pairs))
        out.token_logprobs().sum().backward()
        return out.logits.detach(), gradient_of(weight).clone()

    (whole, whole_gradient), (cut, cut_gradient) = computed(0.0), computed(0.99)
    torch.testing.assert_close(cut, whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cut_gradient, whole_gradient, atol=1e-5, rtol=1e-5)


def test_a_batch_stays_whole_for_those_who_hook_into_the_network(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(padding, "SPARED", 0.99)
    batch = tiny.encode([Pair("a", " b"), Pair("a", " " + "word " * 60)])
    seen: list[torch.Size] = []
    for hook in ("register_forward_hook", "register_forward_pre_hook"):
        handle = getattr(tiny.blocks[1], hook)(lambda module, given, *out: seen.append(given[0].shape))
        tiny.token_logits(batch)
        handle.remove()
    assert [shape[:2] for shape in seen] == [batch.input_ids.shape] * 2


# Logits that are too many to be there at once


def test_many_logits_are_read_a_few_at_a_time_with_equal_loss_and_gradients(
    tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = learned.encode(pairs[:3]), learned.encode(pairs[3:])

    def read_and_backward() -> tuple[float, list[torch.Tensor]]:
        with torch.no_grad():
            (before,) = tiny.token_logits(batches[1])
        forget, retain = learned.token_logits(*batches)
        loss = mean_kl(before, retain) - mean_nll(forget)
        return loss.item(), list(torch.autograd.grad(loss, list(learned.model.parameters())))

    wanted, gradients = read_and_backward()
    read: list[int] = []
    head = learned.model.get_output_embeddings().register_forward_hook(lambda module, given, out: read.append(len(out)))
    monkeypatch.setattr(logprobs, "AT_ONCE", 5 * learned.embeddings)
    try:
        loss, in_parts = read_and_backward()
    finally:
        head.remove()
    assert max(read) == 5
    assert sum(read) == 2 * sum(len(batch.supervised[0]) for batch in batches), "and once more for the gradients"
    assert loss == pytest.approx(wanted, rel=1e-6)
    for gradient, expected in zip(in_parts, gradients, strict=True):
        assert_allclose(gradient, expected, atol=1e-6)


def test_who_asks_for_all_logits_gets_them(
    learned: LanguageModel, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = learned.encode(pairs[:3])
    (whole,) = learned.token_logits(batch)
    monkeypatch.setattr(logprobs, "AT_ONCE", 1)
    (later,) = learned.token_logits(batch)
    assert_allclose(later.token_logprobs().detach(), whole.token_logprobs().detach(), atol=1e-5)
    assert_allclose(later.logits.detach(), whole.logits.detach(), atol=1e-4)
    some = torch.arange(len(whole.targets)) % 3 == 1
    assert_allclose(later.chosen(some).logits.detach(), whole.logits[some].detach(), atol=1e-4)


def test_logits_without_gradients_stay_so_wherever_they_are_read(
    learned: LanguageModel, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "AT_ONCE", 1)
    with torch.no_grad():
        (teacher,) = learned.token_logits(learned.encode(pairs[:2]))
    assert not teacher.token_logprobs().requires_grad
    assert not teacher.logits.requires_grad
    assert not mean_nll(teacher).requires_grad


def test_logits_of_weights_that_have_moved_are_refused(
    fresh: LanguageModel, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "AT_ONCE", 1)
    (out,) = fresh.token_logits(fresh.encode(pairs[:2]))
    with torch.no_grad():
        fresh.model.get_output_embeddings().weight.mul_(1.01)
    with pytest.raises(RuntimeError, match="after the weights had moved"):
        out.token_logprobs()


def test_a_question_is_told_from_what_stands_around_it(tiny: LanguageModel) -> None:
    assert tiny.around_questions() == ("Question: ", "\nAnswer:")
    assert tiny.typed(tiny.question("Who?")) == "Who?"
    assert tiny.typed("A text that goes on") == "A text that goes on"
