"""Attacks, against values computed by hand and on a model small enough to look into."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import PLAIN, WithoutDistributions, answer_probabilities, fingerprint, gradient_of, invented_pairs

from reference_impls.attacks.logit_lens import LogitLensAttack, lens_probabilities
from reference_impls.attacks.membership import MembershipAttack, gradients, scores
from reference_impls.attacks.prompt_search import PromptSearchAttack, mutated, vocabulary
from reference_impls.attacks.prompting import PromptAttack, answer_begun, in_context
from reference_impls.attacks.quantization import QuantizationAttack, quantized, round_to_nearest
from reference_impls.attacks.relearning import RelearningAttack
from reference_impls.attacks.soft_prompt import SoftPromptAttack
from reference_impls.attacks.unrelated_finetuning import UnrelatedFinetuningAttack
from reference_impls.attacks.unwrapping import UnwrappingAttack
from reference_impls.methods.in_context.icul import InContextModel
from reference_impls.methods.modular.eul import LayeredModel
from reference_impls.methods.modular.sisa import SISA, ModelEnsemble
from reference_impls.methods.modular.sisa_adapters import SISAAdapters
from reference_impls.methods.task_arithmetic.sift_masks import MaskedMerge, SIFTMasks
from reference_impls.metrics.answers import answer_probability
from reference_impls.tasks.hazards import HazardsTask
from reference_impls.toolkit import (
    Ensemble,
    HyperparameterError,
    LanguageModel,
    Method,
    NotApplicableError,
    Pair,
    Recipe,
    Run,
    Splits,
    UnlearnedModel,
    UnlearningData,
    Victim,
    with_weights,
)

WEIGHTS = torch.tensor([[0.80, -0.33, 0.12, 0.049, -0.02]])


def mean_probability(model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
    scored = model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    return sum(map(answer_probability, scored)) / len(scored)


def victim(model: UnlearnedModel, forget: int = 4) -> Victim:
    pairs = tuple(
        replace(
            pair,
            rephrased_prompt=f"Say: {pair.prompt}",
            paraphrase=f" It is{pair.answer}",
            perturbed=(" It is not so", " It is"),
        )
        for pair in invented_pairs()
    )
    return Victim(model, Splits(forget=pairs[:forget], retain=pairs[forget:]), mean_probability)


def run() -> Run:
    return Run(Recipe())


# Rounding


def test_four_bits_are_the_hand_computed_grid() -> None:
    step = 0.8 / 7
    expected = [[0.8, -3 * step, step, 0.0, 0.0]]
    assert round_to_nearest(WEIGHTS, 4).tolist() == [pytest.approx(row) for row in expected]


def test_what_unlearning_moved_by_less_than_the_step_is_the_same_again() -> None:
    moved = WEIGHTS + torch.tensor([[0.0, 0.01, -0.005, 0.004, -0.02]])
    assert torch.equal(round_to_nearest(WEIGHTS, 4), round_to_nearest(moved, 4))
    assert not torch.equal(round_to_nearest(WEIGHTS, 8), round_to_nearest(moved, 8))


def test_each_row_has_its_own_grid_and_a_row_of_zeros_stays() -> None:
    rows = torch.tensor([[1.0, 0.4], [100.0, 40.0], [0.0, 0.0]])
    done = round_to_nearest(rows, 4)
    assert torch.allclose(done[1], 100 * done[0])
    assert done[2].tolist() == [0.0, 0.0]
    assert int(done.isnan().sum()) == 0


def test_blocks_are_rounded_and_embeddings_norms_and_head_are_not(fresh: LanguageModel) -> None:
    before = {name: value.clone() for name, value in fresh.model.state_dict().items()}
    quantized(fresh, 4)
    changed = {name for name, value in fresh.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "proj" in name}
    one = fresh.model.model.layers[0].mlp.down_proj.weight[0]
    assert len(torch.unique(one)) <= 15


def test_rounding_measures_copies(tiny: LanguageModel) -> None:
    before = fingerprint(tiny.model)
    found = QuantizationAttack().measure(victim(tiny), run())
    assert set(found) == {"quantization_8", "quantization_4"}
    assert found["quantization_8"] == pytest.approx(victim(tiny).knows(), rel=0.02)
    assert fingerprint(tiny.model) == before


# Relearning


def test_relearning_asks_about_what_the_attacker_was_not_given(tiny: LanguageModel) -> None:
    asked: list[tuple[Pair, ...]] = []

    def knowledge(model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
        asked.append(tuple(pairs))
        return mean_probability(model, pairs)

    one = replace(victim(tiny), knowledge=knowledge)
    before = fingerprint(tiny.model)
    found = RelearningAttack(share=0.25, steps=2).measure(one, run())
    assert set(found) == {"relearning", "related_relearning"}
    assert [len(pairs) for pairs in asked] == [3, 4]
    assert fingerprint(tiny.model) == before


def test_relearning_what_all_forgotten_answers_share_brings_them_back(tiny: LanguageModel) -> None:
    shared = victim(tiny, forget=8)
    found = RelearningAttack(share=0.25, steps=30, learning_rate=3e-3).measure(shared, run())
    assert found["relearning"] > 10 * shared.knows()


def test_nothing_is_measured_where_nothing_is_left_to_ask(tiny: LanguageModel) -> None:
    pair = invented_pairs()[0]
    alone = Victim(tiny, Splits(forget=(pair, pair), retain=(pair,)), mean_probability)
    assert RelearningAttack().measure(alone, run()) == {}


def test_a_text_is_given_with_the_questions_that_it_answers(tiny: LanguageModel) -> None:
    towns = [f"Town{number}" for number in range(10)]
    texts = [Pair("", f"News of {town}.", subject=town) for town in towns]
    questions = [Pair(f"What of {town}, {number}?", " News", subject=town) for town in towns for number in range(3)]
    asked: list[Pair] = []

    def knowledge(model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
        asked.extend(pairs)
        return 0.0

    one = Victim(tiny, Splits(forget=(*texts, *questions), retain=()), knowledge)
    RelearningAttack(share=0.2, steps=1).measure(one, run())
    left = {pair.subject for pair in asked}
    assert len(left) == 8
    assert len(asked) == 8 * 4  # nothing of the two subjects that the attacker has, all of the others


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_is_more_than_nothing_and_less_than_all(share: float) -> None:
    with pytest.raises(HyperparameterError, match="share"):
        RelearningAttack(share=share)


# Prompts


def test_a_context_shows_the_same_subject_first_and_never_the_answer() -> None:
    pairs = [
        Pair("A1?", " yes", subject="A"),
        Pair("B1?", " no", subject="B"),
        Pair("A2?", " maybe", subject="A"),
        Pair("A3?", " yes", subject="A"),
    ]
    assert in_context(pairs[0], pairs, 1).prompt == "A2? maybe\nA1?"
    assert in_context(pairs[0], pairs, 4).prompt == "A2? maybe\nB1? no\nA1?"
    assert in_context(pairs[0], pairs, 4).answer == " yes"


def test_prompts_are_those_that_are_asked() -> None:
    asked: list[str] = []

    class Listening(WithoutDistributions):
        def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
            asked.extend(prompts)
            return [torch.tensor([-1.0]) for _ in answers]

        def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
            return ["" for _ in prompts]

    one = victim(Listening())
    found = PromptAttack(demonstrations=1).measure(one, run())
    assert set(found) == {"rephrased", "prefix", "in_context"}
    pairs = one.splits.forget
    assert asked[:4] == [f"Say: {pair.prompt}" for pair in pairs]
    assert asked[4:8] == [f"{pair.prompt} It is" for pair in pairs]
    assert asked[8] == f"{pairs[1].prompt}{pairs[1].answer}\n{pairs[0].prompt}"


def test_without_other_words_there_is_no_rephrased_question(tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    found = PromptAttack().measure(Victim(tiny, Splits(forget=pairs[:2], retain=pairs[2:]), mean_probability), run())
    assert set(found) == {"in_context"}


@pytest.mark.parametrize(
    ("paraphrase", "perturbed", "opening", "rests"),
    [
        (
            " Ana was born in Oslo.",
            (" Ana was born in Rome.", " Ana was born in Lima."),
            " Ana was born in",
            (" Oslo.", " Rome.", " Lima."),
        ),
        (" Ana comes from Oslo.", (" Ana comes from Ostia.",), " Ana comes from", (" Oslo.", " Ostia.")),  # whole words
        (" a lead jar.", (" a tin box.", " a"), " a", (" lead jar.", " tin box.")),  # of one nothing is left
        (" Oslo.", (" Rome.", " Lima."), None, ()),  # nothing is shared
        (" Oslo.", (" Oslo.",), None, ()),  # nothing would be left to say
        (None, (" Rome.",), None, ()),
        (" Oslo.", (), None, ()),
    ],
)
def test_an_answer_is_begun_with_what_right_and_wrong_ones_share(
    paraphrase: str | None, perturbed: tuple[str, ...], opening: str | None, rests: tuple[str, ...]
) -> None:
    begun = answer_begun(Pair("Where?", " Oslo", paraphrase, perturbed))
    found = begun and (begun.prompt, (begun.answer, *begun.perturbed))
    assert found == (None if opening is None else (f"Where?{opening}", rests))


def test_a_choice_among_begun_answers_is_no_easier_than_among_whole_ones() -> None:
    """Each option is said from the same place on: what is behind the prompt already is said by none."""
    task = HazardsTask()
    for pair in task.splits(PLAIN).forget:
        if begun := answer_begun(pair):
            opening = begun.prompt.removeprefix(pair.prompt)
            options, left = ((one.answer, *one.perturbed) for one in (pair, begun))
            assert tuple(opening + rest for rest in left) == options


# The lens


def test_the_lens_reads_every_layer_but_the_last_through_norm_and_head(tiny: LanguageModel) -> None:
    pairs = invented_pairs()[:3]
    found = lens_probabilities(tiny, pairs)
    assert len(found) == tiny.layers - 1
    for layer, value in enumerate(found):
        expected = []
        for pair in pairs:  # one at a time, without padding, from the library's own hidden states
            batch = tiny.encode([pair])
            with torch.no_grad():
                states = tiny.model(input_ids=batch.input_ids, output_hidden_states=True).hidden_states[layer + 1]
                logprobs = tiny.model.lm_head(tiny.model.model.norm(states)).log_softmax(-1)[0]
            places = (batch.labels[0] != -100).nonzero().flatten()
            tokens = logprobs[places - 1, batch.labels[0, places]]
            expected.append(float(tokens.mean().exp()))
        assert value == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_the_lens_keeps_the_context_that_a_method_put_before_the_question(tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    context = "Question: Who?\nAnswer: Nobody.\n"
    wrapped = InContextModel(tiny, [pairs[0].prompt], [context])
    splits = Splits(forget=pairs[:2], retain=pairs[2:])
    found = LogitLensAttack().measure(Victim(wrapped, splits, mean_probability), run())
    behind = [replace(pair, prompt=context + pair.prompt) for pair in pairs[:2]]
    assert found == {"logit_lens": pytest.approx(max(lens_probabilities(tiny, behind)))}


# Weights


def test_what_is_around_the_weights_stays(tiny: LanguageModel) -> None:
    wrapped = InContextModel(tiny, ["Ana?"], ["Bo? no\n"])

    def zero(model: LanguageModel) -> LanguageModel:
        with torch.no_grad():
            model.model.lm_head.weight.zero_()
        return model

    before = fingerprint(tiny.model)
    changed = with_weights(wrapped, zero)
    assert isinstance(changed, InContextModel)
    assert changed.contexts == wrapped.contexts
    assert not changed.model.model.lm_head.weight.any()
    assert fingerprint(tiny.model) == before


def test_what_cannot_be_changed_behind_is_taken_away_first(tiny: LanguageModel) -> None:
    layered = LayeredModel(tiny.copy(), 2)
    changed = with_weights(layered, lambda weights: weights)
    assert isinstance(changed, LanguageModel)
    assert fingerprint(changed.model) == fingerprint(tiny.model)


def test_a_model_without_weights_cannot_be_changed() -> None:
    with pytest.raises(NotApplicableError, match="nothing is around object"):
        with_weights(cast(UnlearnedModel, object()), lambda model: model)


def test_unwrapping_gives_back_the_model_behind_a_prompt(tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    wrapped = InContextModel(tiny, [pair.prompt for pair in pairs], ["Bo? no\n"] * len(pairs))
    splits = Splits(forget=pairs[:4], retain=pairs[4:])
    found = UnwrappingAttack().measure(Victim(wrapped, splits, mean_probability), run())
    assert found == {"unwrapped": pytest.approx(mean_probability(tiny, pairs[:4]))}
    assert mean_probability(wrapped, pairs[:4]) != pytest.approx(found["unwrapped"])


def test_unwrapping_takes_out_layers_and_leaves_the_victim_as_it_was(tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    layered = LayeredModel(tiny.copy(), 2)
    with torch.no_grad():
        for layer in layered.layers:
            layer.up.weight.normal_()  # type: ignore[union-attr, operator]
    before = mean_probability(layered, pairs[:4])
    found = UnwrappingAttack().measure(Victim(layered, Splits(forget=pairs[:4], retain=()), mean_probability), run())
    assert found == {"unwrapped": pytest.approx(mean_probability(tiny, pairs[:4]))}
    assert mean_probability(layered, pairs[:4]) == pytest.approx(before) != found["unwrapped"]


def test_where_the_weights_are_the_model_there_is_nothing_to_unwrap(tiny: LanguageModel) -> None:
    with pytest.raises(NotApplicableError, match="nothing is around LanguageModel"):
        UnwrappingAttack().measure(victim(tiny), run())


# Ensembles

ENSEMBLES = [SISA(shards=2, slices=1), SISAAdapters(shards=2), SIFTMasks(subjects=2)]


def ensemble_of(method: Method, model: LanguageModel) -> Ensemble:
    """What a method makes of the model as its base, after a few steps."""
    data = UnlearningData(tuple(invented_pairs()[:4]), tuple(invented_pairs()[4:]))
    run = Run(Recipe(learning_rate=1e-2, steps=6, batch_size=4), seed=3)
    return cast(Ensemble, method.unlearn(model.copy(), data, run))


def answered(model: UnlearnedModel) -> list[torch.Tensor]:
    pairs = invented_pairs()
    return model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])


@pytest.mark.parametrize("method", ENSEMBLES, ids=lambda method: type(method).__name__)
def test_members_without_a_change_answer_as_the_ensemble_and_a_change_leaves_it_as_it_was(
    method: Method, tiny: LanguageModel
) -> None:
    def zero(model: LanguageModel) -> LanguageModel:
        for parameter in model.model.parameters():
            parameter.detach().zero_()
        return model

    ensemble = ensemble_of(method, tiny)
    before = answered(ensemble)
    same, nothing = with_weights(ensemble, lambda model: model), with_weights(ensemble, zero)
    uniform = [torch.full_like(each, -math.log(tiny.embeddings)) for each in before]
    for found, expected in ((same, before), (nothing, uniform), (ensemble, before)):
        for one, other in zip(answered(found), expected, strict=True):
            assert_allclose(one, other, atol=1e-4)
    assert same.generate([invented_pairs()[0].prompt], 4) == ensemble.generate([invented_pairs()[0].prompt], 4)


def equals(model: LanguageModel) -> list[Ensemble]:
    """Ensembles of which every member is the model."""
    voting = ModelEnsemble(model, [[], [], []])
    voting.stages = [[model], [model], [model]]
    return [
        voting,
        SISAAdapters(shards=3).learn(model.copy(), [], Run(Recipe())),  # an adapter begins as nothing
        MaskedMerge(model, scale=1.0),
    ]


@pytest.mark.parametrize("bits", [8, 4])
def test_rounding_an_ensemble_of_equals_is_rounding_one_of_them(tiny: LanguageModel, bits: int) -> None:
    expected = answered(quantized(tiny.copy(), bits))
    for ensemble in equals(tiny):
        rounded = with_weights(ensemble, lambda weights: quantized(weights, bits))
        for one, other in zip(answered(rounded), expected, strict=True):
            assert_allclose(one, other, atol=1e-4)


def test_relearning_an_ensemble_raises_what_it_knows_and_so_do_vectors_before_it(tiny: LanguageModel) -> None:
    for ensemble in equals(tiny):
        attacked = victim(ensemble, forget=8)
        found = RelearningAttack(share=0.25, steps=20, learning_rate=3e-3).measure(attacked, run())
        assert found["relearning"] > 5 * attacked.knows()
        found = SoftPromptAttack(share=0.25, steps=10, learning_rate=0.05).measure(attacked, run())
        assert found["soft_prompt"] > 1.2 * attacked.knows()


def test_no_one_state_of_an_ensemble_is_there_to_be_read(tiny: LanguageModel) -> None:
    ensemble = MaskedMerge(tiny, scale=1.0)
    with pytest.raises(NotApplicableError, match="several models answer together"):
        LogitLensAttack().measure(victim(ensemble), run())
    assert "membership_gradient" not in scores(ensemble, invented_pairs(), None)


# Membership


def test_scores_are_those_of_the_single_metrics(tiny: LanguageModel) -> None:
    pairs = invented_pairs()[:3]
    found = scores(tiny, pairs, tiny)
    logprobs = tiny.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    assert found["membership_loss"] == pytest.approx([float(one.mean()) for one in logprobs], abs=1e-5)
    lowest = [sorted(one.tolist())[: int(0.4 * len(one))] for one in logprobs]
    assert found["membership_min_k"] == pytest.approx([sum(one) / len(one) for one in lowest], abs=1e-5)
    assert found["membership_reference"] == [0.0] * 3  # the model against itself, rounding included
    assert set(found) == {
        f"membership_{name}" for name in ("loss", "zlib", "min_k", "min_k_plus_plus", "reference", "gradient")
    }


def test_a_gradient_is_that_of_the_mean_loss_and_leaves_the_model_alone(fresh: LanguageModel) -> None:
    pair = invented_pairs()[0]
    before = fingerprint(fresh.model)
    found = gradients(fresh, pair)
    weight = fresh.model.get_output_embeddings().weight
    assert weight.grad is None
    (out,) = fresh.token_logits(fresh.encode([pair]))
    (-out.token_logprobs().mean()).backward()
    assert any(one.shape == weight.shape and torch.allclose(one, gradient_of(weight), atol=1e-6) for one in found)
    assert fingerprint(fresh.model) == before


def test_a_model_that_learned_the_forget_set_gives_it_away(learned: LanguageModel, tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    strangers = tuple(replace(pair, answer=pair.answer.replace("born", "likes")) for pair in pairs)
    splits = Splits(forget=pairs[:4], retain=pairs[4:], holdout=strangers[4:])
    found = MembershipAttack().measure(Victim(learned, splits, mean_probability, tiny), run())
    assert len(found) == 6
    assert all(value == 1.0 for name, value in found.items() if name != "membership_zlib")


def test_without_a_holdout_there_is_nothing_to_compare_with(tiny: LanguageModel) -> None:
    assert MembershipAttack().measure(victim(tiny), run()) == {}


def test_only_texts_like_the_holdout_are_compared_with_it(learned: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    splits = Splits(forget=pairs[:4], members=pairs[:1], retain=(), holdout=pairs[:1])
    found = MembershipAttack().measure(Victim(learned, splits, mean_probability), run())
    assert set(found.values()) == {0.5}
    assert "membership_reference" not in found


# Unrelated texts


def test_unrelated_texts_are_trained_on_and_the_whole_forget_set_is_asked_about(learned: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    asked: list[Pair] = []

    def knowledge(model: UnlearnedModel, given: Sequence[Pair]) -> float:
        asked.extend(given)
        assert isinstance(model, LanguageModel)
        return float(answer_probabilities(model, pairs[4:]).mean())

    attacked = Victim(learned, Splits(forget=pairs[:4], retain=(), facts=pairs[4:]), knowledge)
    before = float(answer_probabilities(learned, pairs[4:]).mean())
    weights = fingerprint(learned.model)
    measured = UnrelatedFinetuningAttack(texts=3, steps=4).measure(attacked, run())
    assert asked == list(pairs[:4])
    assert measured["unrelated_finetuning"] != pytest.approx(before, abs=1e-6)
    assert fingerprint(learned.model) == weights  # the victim itself is left alone


def test_without_general_knowledge_there_is_nothing_unrelated(tiny: LanguageModel) -> None:
    attacked = Victim(tiny, Splits(forget=tuple(invented_pairs()[:2]), retain=()), lambda model, pairs: 1.0)
    assert UnrelatedFinetuningAttack().measure(attacked, run()) == {}


# Searched prompts

WORDS = ("moon", "sun", "rain", "wind")


class Opened:
    """Answers well the more often the word "rain" stands before the question."""

    def __init__(self) -> None:
        self.best = -9.0

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
        scores = [-5.0 + prompt.split("\n")[0].split().count("rain") for prompt in prompts]
        self.best = max([self.best, *scores])
        return [torch.full((2,), one) for one in scores]


def test_a_search_finds_the_words_that_open_a_model_and_never_gets_worse() -> None:
    model: Any = Opened()
    attack = PromptSearchAttack(words=3, generations=40, children=4)
    found = attack.search(model, invented_pairs()[:2], WORDS, run())
    assert found == ("rain", "rain", "rain")
    assert model.best == -2.0


def test_a_mutation_changes_one_word_at_most() -> None:
    rng = random.Random(0)
    for _ in range(50):
        changed = mutated(WORDS, ("snow", "moon"), rng)
        assert len(changed) == len(WORDS)
        assert sum(one != other for one, other in zip(changed, WORDS, strict=True)) <= 1


def test_the_words_stand_before_the_questions_that_were_not_given(tiny: LanguageModel) -> None:
    pairs = tuple(invented_pairs())
    asked: list[Pair] = []

    def knowledge(model: UnlearnedModel, given: Sequence[Pair]) -> float:
        asked.extend(given)
        return 0.5

    attacked = Victim(tiny, Splits(forget=pairs[:5], retain=pairs[5:]), knowledge)
    assert PromptSearchAttack(share=0.4, generations=1).measure(attacked, run()) == {"searched_prompt": 0.5}
    assert len(asked) == 3
    known = set(vocabulary(pairs[5:]))
    for one in asked:
        words, question = one.prompt.split("\n", 1)
        assert question in {pair.prompt for pair in pairs[:5]}
        assert set(words.split()) <= known
    alone = Victim(tiny, Splits(forget=(Pair("", "A text."),), retain=()), knowledge)
    assert PromptSearchAttack().measure(alone, run()) == {}
