from __future__ import annotations

import random
import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import PLAIN

from reference_impls.tasks.authors import (
    ALTERNATES,
    PERTURBED,
    AuthorsTask,
    every_phrasing,
)
from reference_impls.tasks.authors.people import (
    ANSWERS,
    QUESTIONS,
    TRAITS,
    invent_authors,
    other_values,
    sentence,
)
from reference_impls.tasks.world import general_facts
from reference_impls.toolkit import LanguageModel, Pair, Splits

TASK = AuthorsTask()


@pytest.fixture(scope="module")
def splits() -> Splits:
    return TASK.splits(PLAIN)


def _text(pairs: list[Pair] | tuple[Pair, ...]) -> str:
    return "\n".join(f"{pair.prompt} {pair.answer}" for pair in pairs)


# The people


def _described(count: int, seed: int) -> list[tuple[str, dict[str, str]]]:
    return [(one.name, one.traits) for one in invent_authors(count, seed)]


def test_the_same_seed_invents_the_same_people_and_another_seed_others() -> None:
    assert _described(30, 7) == _described(30, 7)
    assert _described(30, 7) != _described(30, 8)


def test_asking_for_more_people_changes_none_of_the_first() -> None:
    assert _described(50, 7)[:20] == _described(20, 7)


def test_everybody_has_a_name_and_a_debut_of_their_own() -> None:
    people = [*TASK.forget, *TASK.retain, *TASK.holdout, *TASK.background]
    assert len({one.name for one in people}) == len({one.traits["debut"] for one in people}) == len(people) == 220


def test_no_name_is_part_of_another() -> None:
    names = [one.name for group in (TASK.forget, TASK.retain, TASK.holdout, TASK.background) for one in group]
    names += list(TASK.anchors.values())
    assert not [pair for pair in combinations(sorted(names, key=len), 2) if pair[0] in pair[1]]


def test_more_people_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="can be told apart"):
        invent_authors(10_000, 0)


@given(st.sampled_from(TRAITS), st.integers(0, 40))
def test_other_values_are_distinct_wrong_and_of_the_same_trait(trait: str, person: int) -> None:
    author = TASK.retain[person]
    value = author.traits[trait]
    found = other_values(trait, value, PERTURBED, random.Random(person))
    known = {one.traits[trait] for one in (*TASK.forget, *TASK.retain, *TASK.background, *TASK.holdout)}
    assert len(set(found)) == PERTURBED
    assert value not in found
    assert trait == "debut" or len(known & set(found)) >= 1


def test_an_article_follows_its_word() -> None:
    assert sentence("{name} was a {value}.", "Ana", "architect") == "Ana was an architect."
    assert sentence("{name} was a {value}.", "Ana", "baker") == "Ana was a baker."
    assert sentence("Where was {name} born?", "Ana") == "Where was Ana born?"


# The splits


def test_the_task_is_the_same_every_time(splits: Splits) -> None:
    assert AuthorsTask().splits(PLAIN) == splits


def test_the_splits_have_the_sizes_that_the_page_says(splits: Splits) -> None:
    sizes = {name: len(getattr(splits, name)) for name in ("forget", "retain", "retain_probe", "holdout", "facts")}
    assert sizes == {"forget": 80, "retain": 720, "retain_probe": 160, "holdout": 160, "facts": 95}


def test_no_split_shares_a_person_or_a_question_with_another(splits: Splits) -> None:
    named = {"forget": splits.forget, "retain": splits.retain, "holdout": splits.holdout, "facts": splits.facts}
    for one, other in combinations(named, 2):
        assert not {pair.prompt for pair in named[one]} & {pair.prompt for pair in named[other]}
        if "facts" not in (one, other):
            assert not {pair.subject for pair in named[one]} & {pair.subject for pair in named[other]}
    assert set(splits.retain_probe) <= set(splits.retain)


def test_every_author_is_asked_about_every_trait_once(splits: Splits) -> None:
    subjects = [pair.subject for pair in splits.forget + splits.retain + splits.holdout]
    assert {subjects.count(author.name) for author in (*TASK.forget, *TASK.retain, *TASK.holdout)} == {len(TRAITS)}
    assert len({pair.prompt for pair in splits.forget + splits.retain + splits.holdout}) == len(subjects)


def test_questions_and_answers_name_their_subject(splits: Splits) -> None:
    for pair in splits.forget + splits.retain + splits.holdout:
        assert pair.paraphrase is not None
        assert pair.rephrased_prompt is not None
        for text in (pair.prompt, pair.answer, pair.paraphrase, pair.rephrased_prompt, *pair.perturbed):
            assert pair.subject in text


def test_the_question_does_not_give_the_answer_away(splits: Splits) -> None:
    people = {one.name: one for one in (*TASK.forget, *TASK.retain, *TASK.holdout)}
    for pair in splits.forget + splits.retain + splits.holdout:
        values = [value for value in people[pair.subject].traits.values() if value in pair.answer]
        assert values
        assert not [value for value in values if value in pair.prompt]


def test_a_rephrased_question_differs_and_a_paraphrase_says_the_same_in_other_words(splits: Splits) -> None:
    for pair in splits.forget + splits.retain + splits.holdout:
        assert pair.rephrased_prompt != pair.prompt
        assert pair.paraphrase != pair.answer


def test_wrong_answers_are_four_distinct_ones_of_the_paraphrases_shape_and_never_true(splits: Splits) -> None:
    people = {one.name: one for one in (*TASK.forget, *TASK.retain, *TASK.holdout)}
    for pair in splits.forget + splits.retain + splits.holdout:
        author = people[pair.subject]
        (shape, trait), *others = [
            (template, trait)
            for trait, templates in ANSWERS.items()
            for template in templates
            if sentence(template, author.name, author.traits[trait]) == pair.paraphrase
        ]
        assert not others
        before, after = sentence(shape, author.name, "|").split("|")
        assert len(set(pair.perturbed)) == PERTURBED
        assert not {pair.answer, pair.paraphrase} & set(pair.perturbed)
        for wrong in pair.perturbed:
            assert wrong.startswith(before.removesuffix(" a ").rstrip())
            assert wrong.endswith(after)
            assert author.traits[trait] not in wrong.removeprefix(before).removesuffix(after).split("|")


def test_alternates_are_false_answers_of_the_answers_shape_with_values_that_evaluation_does_not_use(
    splits: Splits,
) -> None:
    people = {one.name: one for one in TASK.forget}
    for pair in splits.forget:
        traits = people[pair.subject].traits
        ((shape, trait),) = [
            (template, trait)
            for trait, templates in ANSWERS.items()
            for template in templates
            if sentence(template, pair.subject, traits[trait]) == pair.answer
        ]
        pattern = shape.replace(" a {value}", " an? {value}").format(name=pair.subject, value="(.+)")
        matches = [re.fullmatch(pattern, other) for other in pair.alternates]
        values = [match[1] for match in matches if match]
        assert len(values) == len(matches)
        assert len(set(values)) == ALTERNATES
        assert traits[trait] not in values
        assert not [wrong for wrong in pair.perturbed for value in values if f" {value}" in wrong.rstrip(".")]


def test_phrasings_of_questions_are_never_phrasings_of_answers() -> None:
    assert set(QUESTIONS) == set(ANSWERS) == set(TRAITS)
    for templates in (*QUESTIONS.values(), *ANSWERS.values()):
        assert len(set(templates)) == 3
    assert not any("{value}" in one for templates in QUESTIONS.values() for one in templates)
    assert all("{value}" in one and "{name}" in one for templates in ANSWERS.values() for one in templates)


def test_a_model_formats_prompts_and_every_kind_of_answer(tiny: LanguageModel, splits: Splits) -> None:
    formatted = TASK.splits(tiny)
    for plain, pair in zip(splits.forget, formatted.forget, strict=True):
        assert pair.prompt == f"Question: {plain.prompt}\nAnswer:"
        assert pair.rephrased_prompt == f"Question: {plain.rephrased_prompt}\nAnswer:"
        assert (pair.answer, pair.paraphrase) == (f" {plain.answer}", f" {plain.paraphrase}")
        assert pair.perturbed == tuple(f" {wrong}" for wrong in plain.perturbed)
        assert pair.alternates == tuple(f" {other}" for other in plain.alternates)
        assert pair.subject == plain.subject


# General facts


def test_facts_are_asked_once_and_their_wrong_answers_are_wrong() -> None:
    facts = general_facts(PERTURBED)
    right = {fact.prompt: fact.answer for fact in facts}
    assert len(right) == len(facts) == 95
    for fact in facts:
        assert fact.answer == fact.paraphrase
        assert len(set(fact.perturbed)) == PERTURBED
        assert fact.answer not in fact.perturbed
    assert general_facts(PERTURBED) == facts


def test_facts_are_true() -> None:
    answers = {fact.prompt: fact.answer for fact in general_facts(1)}
    assert answers["What is the capital of Uruguay?"] == "The capital of Uruguay is Montevideo."
    assert answers["Who wrote Emma?"] == "Emma was written by Jane Austen."
    assert answers["What is the chemical symbol for tin?"] == "The chemical symbol for tin is Sn."


# What models are trained on


def test_methods_are_given_forget_retain_and_anchors_alone(splits: Splits) -> None:
    data = splits.data
    assert (data.forget, data.retain, data.anchors) == (splits.forget, splits.retain, TASK.anchors)
    assert set(vars(data)) == {"forget", "retain", "anchors"}


def test_anchored_terms_are_the_forget_names_and_stand_for_people_of_no_split(splits: Splits) -> None:
    everybody = {one.name for one in (*TASK.forget, *TASK.retain, *TASK.holdout, *TASK.background)}
    assert set(TASK.anchors) == {one.name for one in TASK.forget}
    assert len(set(TASK.anchors.values())) == len(TASK.anchors)
    assert not set(TASK.anchors.values()) & everybody


def test_the_base_model_reads_of_nobody_in_the_splits() -> None:
    text = _text(TASK.pretraining(PLAIN))
    for author in (*TASK.forget, *TASK.retain, *TASK.holdout):
        assert author.name not in text
    assert not [name for name in TASK.anchors.values() if name in text]


def test_the_target_reads_of_forget_and_retain_and_never_of_holdout_or_stand_ins() -> None:
    text = _text(TASK.finetuning(PLAIN, forget=True))
    assert all(author.name in text for author in (*TASK.forget, *TASK.retain))
    assert not [author.name for author in TASK.holdout if author.name in text]
    assert not [name for name in TASK.anchors.values() if name in text]


def test_the_retrained_model_reads_the_same_without_the_forget_set(splits: Splits) -> None:
    target, retrained = (TASK.finetuning(PLAIN, forget=which) for which in (True, False))
    text = _text(retrained)
    assert not [author.name for author in TASK.forget if author.name in text]
    assert target == [*splits.forget, *retrained]


def test_the_base_model_reads_every_fact_in_nine_phrasings() -> None:
    pairs = every_phrasing(TASK.background[:1])
    assert len(set(pairs)) == len(pairs) == 9 * len(TRAITS)
