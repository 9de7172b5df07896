"""Where answers of chat models end and questions begin, over a table of templates as families write them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from chat_templates import NEXT_TURN, TEMPLATES, byte_level, chat_model, word_marks
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
    assert _labels(model, _asked(model)).lstrip() == f"In Szeged.{TEMPLATES[name][1]}"


def test_what_is_no_turn_ends_as_a_text_does(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    assert _labels(model, Pair("", "Ana Lund.")) == "Ana Lund.</s>"
    assert _labels(model, Pair("Who is it?", " Ana Lund.")) == " Ana Lund.</s>"
    assert _labels(model, Pair("", "Ana Lund", closed=False)) == "Ana Lund"


def test_generation_stops_at_every_end_that_anybody_names(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny, ["</s>", "<|im_start|>"])
    ids = model.tokenizer.convert_tokens_to_ids
    ends = {"</s>", "<|im_start|>", *([] if name in NEXT_TURN else [TEMPLATES[name][1].strip()])}
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


# What stands before an answer

ANSWERS = ("In Szeged.", "Ana Lund.", "1999", "x", "", " with spaces around it ", "Two\nlines.", '"Quoted"', "é")
EARLIER = ({"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ana."})


def _as_the_template(model: LanguageModel, messages: Sequence[dict[str, str]]) -> list[int]:
    """A chat as the template's own tokens, behind one mark that begins a text where the tokenizer puts one."""
    ids = list(model.tokenizer.apply_chat_template(list(messages), tokenize=True, return_dict=False))
    start = model.tokenizer.bos_token_id
    return ids if ids[0] == start else [start, *ids]


@pytest.mark.parametrize("spelling", [byte_level, word_marks])
@pytest.mark.parametrize("earlier", [(), EARLIER])
def test_a_question_and_its_answer_are_the_templates_own_tokens(
    name: str, spelling: Any, earlier: tuple[dict[str, str], ...], tiny: LanguageModel
) -> None:
    model = chat_model(name, tiny, spelling=spelling)
    for text in ANSWERS:
        user = {"role": "user", "content": "Where was Ana Lund born?"}
        pair = Pair(model.conversation([*earlier, user]), model.answer(text))
        batch = model.encode([pair])
        ids = batch.input_ids[0].tolist()
        own = _as_the_template(model, [*earlier, user, {"role": "assistant", "content": text}])
        if name in (*NEXT_TURN, "names no end", "two spaces"):  # their ends are in the next turn, or in no turn
            ids = ids[: len(own)] if len(own) < len(ids) else ids[:-1]
        assert ids == own[: len(ids)]
        assert len(own) - len(ids) <= 3, "a line and a mark may follow an answer's end"
        first = int((batch.labels[0] != IGNORE).nonzero()[0]) if text else len(ids)
        assert model._open(pair.prompt, 4) == ids[:first] or not text


def test_what_generation_reads_is_what_answers_follow_when_learning(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    question, answer = "Who?", "Ana Lund."
    text = _as_the_template(
        model, [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    ) + [model.tokenizer.convert_tokens_to_ids(TEMPLATES[name][1])] * (name in NEXT_TURN)
    ids, optimizer = torch.tensor([text]), torch.optim.AdamW(model.model.parameters(), 1e-2)
    with torch.enable_grad():
        for _ in range(60):
            model.model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    pair = Pair(model.question(question), model.answer(answer))
    own = len(model.answer_tokens(answer))  # what ends an answer may be a mark that this loop did not teach
    assert float(model.pair_logprobs([pair])[0][:own].mean().exp()) > 0.9
    assert model.generate([pair.prompt], own)[0] == answer


def test_an_answer_that_was_begun_goes_on_where_it_was_left(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    whole = Pair(model.question("Who is it?"), model.answer("Ana Lund of Szeged."))
    for cut in (3, 8, 11):
        begun = replace(whole, prompt=whole.prompt + whole.answer[:cut], answer=whole.answer[cut:])
        assert _labels(model, begun) == f"{whole.answer[cut:]}{TEMPLATES[name][1]}"
        assert model.encode([begun]).input_ids.tolist() == model.encode([whole]).input_ids.tolist()


def test_what_is_in_an_answer_is_found_where_it_is_read(name: str, tiny: LanguageModel) -> None:
    model = chat_model(name, tiny)
    pair = Pair(model.question("Who is Ana Lund?"), model.answer("It is Ana Lund."), subject="Ana Lund")
    ids, found = model.encode([pair]).input_ids[0], model.subject_mentions([pair])[0]
    assert str(model.tokenizer.decode(ids[found])).split() == ["Ana", "Lund", "Ana", "Lund"]
    last = model.subject_places([pair])[0]
    assert int(last.sum()) == 1
    assert "Ana Lund".endswith(model.tokenizer.decode(ids[last]).strip())
    within, told = model.answer_tokens_within(pair, [(6, 14)]), model.encode([pair]).labels[0] != IGNORE
    assert any(within)
    assert found[told].tolist()[: len(within)] == within


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
