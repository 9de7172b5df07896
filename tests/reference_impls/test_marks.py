"""Where answers of chat models end and questions begin, over a table of templates as families write them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from chat_templates import TEMPLATES, chat_model
from unlearning_toys import invented_pairs

from reference_impls.methods.in_context.icul import InContextUnlearning
from reference_impls.methods.modular.sisa_adapters import SISAAdapters
from reference_impls.methods.reinforcement.quark import BestRankModel, Quark, rank_text
from reference_impls.models.architectures import small_network
from reference_impls.toolkit import IGNORE, LanguageModel, Pair, Recipe, Run, UnlearningData, deletion_requests


@pytest.fixture(params=TEMPLATES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _asked(model: LanguageModel) -> Pair:
    return Pair(model.question("Where was Ana Lund born?"), model.answer("In Szeged."))


def _labels(model: LanguageModel, pair: Pair) -> str:
    labels = model.encode([pair]).labels[0]
    return str(model.tokenizer.decode(labels[labels != IGNORE], skip_special_tokens=False))


def test_an_answer_ends_as_the_template_ends_it(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    assert _labels(model, _asked(model)) == f"In Szeged.{TEMPLATES[name][1]}"


def test_what_is_no_turn_ends_as_a_text_does(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    assert _labels(model, Pair("", "Ana Lund.")) == "Ana Lund.</s>"
    assert _labels(model, Pair("Who is it?", " Ana Lund.")) == " Ana Lund.</s>"
    assert _labels(model, Pair("", "Ana Lund", closed=False)) == "Ana Lund"


def test_generation_stops_at_every_end_that_anybody_names(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny, ["</s>", "<|im_start|>"])
    ids = model.tokenizer.convert_tokens_to_ids
    ends = {"</s>", "<|im_start|>", *([] if name == "ends with the next turn" else [TEMPLATES[name][1].strip()])}
    assert set(model.marks.stops) == {ids(end) for end in ends}


@pytest.mark.parametrize("end", ["</s>", "<|im_end|>", "<|im_start|>"])
def test_what_is_written_is_cut_at_its_end(end: str, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model = chat_model("chatml", tiny, ["</s>", "<|im_start|>"])
    script = model.tokenizer(f"In Szeged.{end}\nmodel", add_special_tokens=False)["input_ids"]

    def forward(input_ids: Any, **_: Any) -> Any:
        from transformers.modeling_outputs import CausalLMOutputWithPast

        logits = torch.zeros(*input_ids.shape, len(model.tokenizer))
        logits[:, -1, script[min(len(written), len(script) - 1)]] = 1
        written.append(1)
        return CausalLMOutputWithPast(logits=logits)

    written: list[int] = []
    monkeypatch.setattr(model.model, "forward", forward)
    assert model.generate([_asked(model).prompt], 20) == ["In Szeged."]
    assert len(written) == len(script[: script.index(model.tokenizer.convert_tokens_to_ids(end))]) + 1


def test_a_model_that_learned_its_answers_says_them_and_stops(tiny: LanguageModel) -> None:
    model = chat_model("gemma", tiny)
    pairs = [Pair(model.question(one), two) for one, two in (("Who?", "Ana Lund."), ("When?", "Of a year of storms."))]
    Run(Recipe(learning_rate=2e-2, steps=60, batch_size=2)).finetune(model, pairs)
    assert model.generate([pair.prompt for pair in pairs], 30) == [pair.answer for pair in pairs]
    ensemble = SISAAdapters(shards=1, rank=2).learn(model, pairs, Run(Recipe(steps=1, batch_size=2)))
    assert ensemble.generate([pair.prompt for pair in pairs], 30) == [pair.answer for pair in pairs]


def test_what_the_generation_config_likes_does_not_change_what_is_greedy(tiny: LanguageModel) -> None:
    model = chat_model("gemma", tiny)
    prompts = [_asked(model).prompt, model.question("Who?")]
    plain = model.generate(prompts, 8)
    own = model.model.generation_config
    own.num_beams, own.repetition_penalty, own.min_length, own.do_sample, own.temperature = 3, 5.0, 40, True, 0.3
    assert model.generate(prompts, 8) == plain
    assert model.model.generation_config is own


# Text before a question


def test_what_is_asked_is_read_back_from_a_prompt(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    assert model.asked(_asked(model).prompt) == "Where was Ana Lund born?"
    earlier = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ana."}]
    prompt = model.conversation([*earlier, {"role": "user", "content": "Sure?"}])
    assert model.asked(prompt) == "Sure?"
    assert model.asked("Question: Who?\nAnswer:") == "Question: Who?\nAnswer:"


def test_text_before_a_question_is_inside_the_users_turn_behind_one_start_mark(name: str, tiny: LanguageModel) -> None:
    model, (_, _, opening) = chat_model(name, tiny), TEMPLATES[name]
    prompt = model.behind("Look here.\n", _asked(model).prompt)
    assert f"{opening}Look here.\nWhere was Ana Lund born?" in prompt
    ids = model.encode([Pair(prompt, "In Szeged.")]).input_ids[0].tolist()
    assert ids.count(model.tokenizer.bos_token_id) == 1


def test_contexts_of_methods_and_attacks_are_questions_and_answers_in_one_turn(name: str, tiny: LanguageModel) -> None:
    from reference_impls.attacks.prompting import in_context

    model, (_, _, opening) = chat_model(name, tiny), TEMPLATES[name]
    pairs = [
        Pair(model.question(f"When was {one.subject} born?"), model.answer(one.answer.strip()), subject=one.subject)
        for one in invented_pairs()[:5]
    ]
    data, run = UnlearningData(tuple(pairs[:2]), tuple(pairs[2:])), Run(Recipe(steps=1, batch_size=2))
    icul = InContextUnlearning(demonstrations=2).unlearn(model, data, run)
    (request, *_) = deletion_requests(model, data, "fact-erasure", "", 2, run.rng)
    prompts = [
        icul.prompt(pairs[0].prompt),
        BestRankModel(model, rank_text(3)).prompt(pairs[0].prompt),
        *(pair.prompt for pair in request.pairs),
        in_context(pairs[0], pairs, 3, model).prompt,
    ]
    for prompt in prompts:
        ids = model.encode([Pair(prompt, "In spring.")]).input_ids[0].tolist()
        assert ids.count(model.tokenizer.bos_token_id) == 1
        assert prompt.count(opening) == pairs[0].prompt.count(opening) == 1
        assert prompt.index(opening) < prompt.index("When was Ana Lund born?")
    assert "When was Ana Lund born? " in icul.contexts[0]


def test_quark_learns_behind_ranks_inside_the_turn(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model = chat_model("gemma", tiny)
    pairs = tuple(Pair(model.question(one), "In spring.") for one in ("Who is Ana Lund?", "Who is Bo Reyes?"))
    seen: list[str] = []
    encode = LanguageModel.encode

    def watched(self: LanguageModel, pairs: Any, rows: Any = None) -> Any:
        seen.extend(pair.prompt for pair in pairs)
        return encode(self, pairs, rows)

    monkeypatch.setattr(LanguageModel, "encode", watched)
    unlearned = Quark(length=3).unlearn(model, UnlearningData(pairs, pairs), Run(Recipe(steps=2, batch_size=2)))
    assert any(
        prompt.startswith(f"<s><start_of_turn>user\n{rank_text(rank)}") for prompt in seen for rank in range(1, 6)
    )
    assert all(prompt.startswith("<s><start_of_turn>user\n") for prompt in seen)
    assert unlearned.prompt(pairs[0].prompt).startswith("<s><start_of_turn>user\n5 5 5 ")


# Marks that are missing, or that the model does not know


def _bare(tiny: LanguageModel, **marks: Any) -> LanguageModel:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    for name, value in marks.items():
        setattr(tokenizer, name, value)
    return LanguageModel(small_network("llama", len(tiny.tokenizer)), tokenizer)


def test_a_padding_token_outside_the_embeddings_is_not_used(tiny: LanguageModel) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    model = LanguageModel(small_network("llama", len(tiny.tokenizer)), tokenizer)
    usual = LanguageModel(model.model, tiny.tokenizer)
    pairs = invented_pairs()
    for one, other in zip(model.pair_logprobs(pairs), usual.pair_logprobs(pairs), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert len(model.generate([pair.prompt for pair in pairs], 3)) == len(pairs)
    assert model.tokenizer.pad_token == "[PAD]"


def test_a_tokenizer_without_an_end_leaves_answers_open(tiny: LanguageModel) -> None:
    model = _bare(tiny, eos_token=None, pad_token=None)
    model.model.generation_config.eos_token_id = None
    assert _labels(model, Pair("Who?", " Ana Lund.")) == " Ana Lund."
    assert len(model.pair_logprobs([Pair("", "Ana Lund")])[0]) == len(model.tokenizer("Ana Lund")["input_ids"])
    assert model.generate(["Who?", "Who is it?"], 3)


def test_a_token_that_the_model_does_not_know_is_named(tiny: LanguageModel) -> None:
    from reference_impls.errors import UsageError

    model = _bare(tiny)
    model.tokenizer.add_tokens(["[NEW]"])
    for ask in (lambda: model.pair_logprobs([Pair("Who?", "[NEW]")]), lambda: model.generate(["[NEW]"], 2)):
        with pytest.raises(UsageError, match=r"'\[NEW\]' as token \d+, but the model has embeddings of \d+ tokens"):
            ask()
