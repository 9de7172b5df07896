"""What methods need, which fit what one has, and with which numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_results import invented_result
from small_checkout import FADING, GARDENS, METHOD, REPOSITORY, TASK, Checkout

from catalog.base.project import Project
from catalog.model.choosing import FITS, Candidate, candidates, command, compared_on, questions, ranked, verdicts
from catalog.model.implementations import Hyperparameter, Implementation, read_implementations
from catalog.model.needs import ACCESS, DEGREES, TRAINS, NeedError, Needs
from catalog.model.outcomes import Outcome, nearness, outcomes
from catalog.model.results import Result

WEIGHT = Hyperparameter("retain_weight", "float", 1.0, "weight of the retain loss", "paper", "≥ 0", 1)
NEEDS = st.builds(
    Needs,
    access=st.sampled_from(ACCESS),
    retain=st.sampled_from(DEGREES),
    trains=st.sampled_from(TRAINS),
    copies=st.integers(0, 3),
    earlier=st.sampled_from(DEGREES),
    exact=st.booleans(),
    separate=st.booleans(),
)
KNOWN = Implementation("gardens", "task", "g", "Gardens", "", "", "p", "", "", "", "known", False, (), "", "g.py", 1)
QUESTIONS = questions([KNOWN])
SITUATIONS = st.fixed_dictionaries(
    {}, optional={one.id: st.sampled_from([option.id for option in one.options]) for one in QUESTIONS}
)


def method(needs: Needs, ident: str = "fade", weight: Hyperparameter | None = WEIGHT) -> Implementation:
    settings = (weight,) if weight else ()
    return Implementation(
        ident, "method", ident, ident, "", "", "p", "f", "loss", "nothing", "", False, settings, "", "f.py", 1, needs
    )


def candidate(needs: Needs, ident: str = "fade", **found: Outcome) -> Candidate:
    one = method(needs, ident)
    return Candidate(one, verdicts(one), found)


# What is declared


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        ("", Needs("weights", "needed", "all", 0)),
        ('    reference = "model"\n', Needs(copies=1)),
        ('    reference = "log-probabilities"\n', Needs(copies=0)),
        ('    reference = "model"\n    copies = 2\n', Needs(copies=3)),
        (
            '    access = "prompts"\n    retain = "unused"\n    separate = True\n',
            Needs("prompts", "unused", separate=True),
        ),
        ('    trains = "adapters"\n    copies = 1\n', Needs(trains="adapters", copies=1)),
        ('    access = "training"\n    exact = True\n', Needs("training", exact=True)),
        ('    earlier = "needed"\n', Needs(earlier="needed")),
    ],
)
def test_needs_are_read_from_the_class(tmp_path: Path, lines: str, needs: Needs) -> None:
    checkout = small(tmp_path, lines)
    (found,) = checkout.catalog().methods
    assert found.needs == needs


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('access = "api"', "access is 'api'", "One of: prompts, weights, training."),
        ("access = 1", "access is 1", "One of: prompts, weights, training."),
        ('retain = "no"', "retain is 'no'", "One of: needed, optional, unused."),
        ('trains = "lora"', "trains is 'lora'", "One of: all, part, adapters, nothing."),
        ('exact = "yes"', "exact is 'yes'", "True or False."),
        ("separate = 1", "separate is 1", "True or False."),
        ("earlier = True", "earlier is True", "One of: needed, optional, unused."),
        ("copies = -1", "copies is -1", "A whole number, 0 or more."),
        ("copies = True", "copies is True", "A whole number, 0 or more."),
        ("copies = 1.5", "copies is 1.5", "A whole number, 0 or more."),
    ],
)
def test_a_need_that_is_none_is_a_problem_at_its_line(tmp_path: Path, line: str, message: str, hint: str) -> None:
    checkout = small(tmp_path, f"    {line}\n")
    problem = next(one for one in checkout.problems() if one.code == "bad-need")
    text = (checkout.root / problem.file).read_text(encoding="utf-8").splitlines()
    assert (problem.message, problem.hint, text[problem.line - 1].strip()) == (message, hint, line)


@given(
    st.dictionaries(
        st.sampled_from(["access", "retain", "trains", "copies", "earlier", "exact", "separate"]),
        st.integers() | st.text(),
    )
)
def test_any_literal_is_a_need_or_refused(literals: dict[str, Any]) -> None:
    refused = ""
    try:
        found = Needs.declared(literals)
    except NeedError as error:
        found, refused = Needs(), error.name
    assert refused in {*literals, ""}
    assert (found.access in ACCESS, found.retain in DEGREES, found.models >= 1) == (True, True, True)


def small(tmp_path: Path, lines: str) -> Checkout:
    """The small checkout, its one method with more lines in its class."""
    checkout = Checkout(tmp_path)
    checkout.add("papers/2031/lindqvist2031fading.yaml", FADING)
    checkout.add("papers/2032/okonkwo2032gardens.yaml", GARDENS)
    acts = '    acts_on = "loss"\n'
    checkout.add("reference_impls/methods/gradient_ascent/fade.py", METHOD.replace(acts, acts + lines))
    checkout.add("reference_impls/tasks/gardens/__init__.py", TASK)
    return checkout


@pytest.mark.parametrize(
    ("needs", "times"),
    [(Needs(), 4), (Needs(copies=1), 5), (Needs(trains="part", copies=1), 2), (Needs(trains="nothing"), 1)],
)
def test_memory_is_counted_in_times_the_weights(needs: Needs, times: int) -> None:
    """Each model once; a trained one has its gradients and two moments of AdamW besides."""
    assert needs.weights == times


# What fits


@pytest.mark.parametrize(
    ("needs", "answer", "fit"),
    [
        (Needs("prompts"), ("access", "prompts"), "yes"),
        (Needs("weights"), ("access", "prompts"), "no"),
        (Needs("weights"), ("access", "training"), "yes"),
        (Needs("training"), ("access", "weights"), "no"),
        (Needs("training"), ("access", "training"), "yes"),
        (Needs(earlier="needed"), ("access", "weights"), "but"),
        (Needs(earlier="needed"), ("access", "prompts"), "no"),
        (Needs(earlier="needed"), ("access", "training"), "yes"),
        (Needs(retain="needed"), ("retain", "no"), "no"),
        (Needs(retain="optional"), ("retain", "no"), "but"),
        (Needs(retain="unused"), ("retain", "no"), "yes"),
        (Needs(copies=0), ("memory", "none"), "yes"),
        (Needs(copies=1), ("memory", "none"), "no"),
        (Needs(copies=1), ("memory", "one"), "yes"),
        (Needs(copies=3), ("memory", "one"), "no"),
        (Needs(copies=3), ("memory", "several"), "yes"),
        (Needs(exact=False), ("guarantee", "exact"), "no"),
        (Needs(exact=True), ("guarantee", "approximate"), "yes"),
        (Needs(separate=True), ("requests", "many"), "yes"),
        (Needs(separate=False), ("requests", "many"), "but"),
    ],
)
def test_an_answer_fits_or_not(needs: Needs, answer: tuple[str, str], fit: str) -> None:
    assert candidate(needs).verdicts[answer].fit == fit
    assert candidate(needs).fit(dict([answer])) == fit


@given(NEEDS)
def test_there_is_a_verdict_for_every_answer(needs: Needs) -> None:
    answers = {(one.id, option.id) for one in QUESTIONS for option in one.options if one.id != "forget"}
    assert set(candidate(needs).verdicts) == answers
    assert all(verdict.why for verdict in candidate(needs).verdicts.values())


@given(NEEDS, SITUATIONS)
def test_a_method_fits_as_far_as_its_worst_answer(needs: Needs, situation: dict[str, str]) -> None:
    one = candidate(needs)
    worst = [reason.fit for reason in one.reasons(situation)]
    assert worst == sorted(worst, key=FITS.index, reverse=True)
    assert one.fit(situation) == (worst[0] if worst else "yes")


@given(NEEDS, SITUATIONS, st.sampled_from([one.id for one in QUESTIONS]))
def test_an_answer_more_never_makes_more_methods_fit(needs: Needs, situation: dict[str, str], question: str) -> None:
    fewer = {name: answer for name, answer in situation.items() if name != question}
    one = candidate(needs)
    assert FITS.index(one.fit(fewer)) <= FITS.index(one.fit(situation))


@given(NEEDS)
def test_who_can_reach_and_hold_more_has_no_fewer_to_choose_from(needs: Needs) -> None:
    for question, order in (("access", ACCESS), ("memory", ("none", "one", "several"))):
        fits = [FITS.index(candidate(needs).verdicts[question, option].fit) for option in order]
        assert fits == sorted(fits, reverse=True)


def test_what_fits_comes_first_and_then_what_did_best() -> None:
    good, bad = Outcome(0.9, 0.9, 0.9, 1.0, 1), Outcome(0.1, 0.9, None, 1.0, 1)
    found = [
        candidate(Needs(retain="unused"), "worse", gardens=bad),
        candidate(Needs(retain="needed"), "unfit", gardens=good),
        candidate(Needs(retain="unused"), "better", gardens=good),
        candidate(Needs(retain="unused"), "unknown"),
    ]
    order = [one.method.id for one in ranked(found, {"retain": "no", "forget": "gardens"})]
    assert order == ["better", "worse", "unknown", "unfit"]


def test_where_nothing_fits_what_lacks_least_comes_first() -> None:
    found = [
        candidate(Needs(), "two"),
        candidate(Needs(exact=True), "one"),
        candidate(Needs(retain="unused"), "two-too"),
    ]
    situation = {"access": "prompts", "guarantee": "exact", "retain": "yes"}
    assert [one.method.id for one in ranked(found, situation)] == ["one", "two", "two-too"]


@pytest.mark.parametrize(
    ("needs", "weight", "switched"),
    [
        (Needs(retain="optional"), WEIGHT, True),
        (Needs(retain="optional"), None, False),
        (Needs(retain="unused"), None, False),
    ],
)
def test_the_command_switches_off_what_it_is_not_given(
    needs: Needs, weight: Hyperparameter | None, switched: bool
) -> None:
    one = method(needs, weight=weight)
    assert ("--set retain_weight=0" in command(one, {"retain": "no"})) == switched
    assert "--set" not in command(one, {"retain": "yes"})


@pytest.mark.parametrize("earlier", DEGREES)
def test_the_command_names_an_earlier_checkpoint_where_there_is_a_use_for_one(earlier: str) -> None:
    assert ("--earlier DIR" in command(method(Needs(earlier=earlier)), {})) == (earlier != "unused")


# Numbers


def runs(**values: tuple[float, float, float]) -> list[Result]:
    """One run of each, with what it knows, its utility, and what it knows after relearning."""
    return [
        invented_result(
            method=name.replace("_", "-"),
            task="gardens",
            metrics={"known": known, "model_utility": utility},
            attacks={"relearning": after},
        )
        for name, (known, utility, after) in values.items()
    ]


def test_an_outcome_says_how_far_it_came_what_it_kept_and_what_comes_back() -> None:
    found = outcomes(
        runs(target=(1.0, 0.8, 1.0), retrained=(0.2, 0.8, 0.4), fade=(0.4, 0.6, 0.7)), {"gardens": "known"}
    )
    outcome = found["gardens", "fade"]
    assert set(found) == {("gardens", "fade")}
    assert (outcome.forgets, outcome.keeps, outcome.withstands) == pytest.approx((0.75, 0.75, 0.5))
    assert outcome.score == pytest.approx(3 / (1 / 0.75 + 1 / 0.75 + 1 / 0.5))


def test_without_the_references_there_is_no_outcome() -> None:
    assert outcomes(runs(target=(1.0, 0.8, 1.0), fade=(0.4, 0.6, 0.7)), {"gardens": "known"}) == {}
    assert (
        outcomes(runs(target=(0.3, 0.8, 1.0), retrained=(0.2, 0.8, 0.4), fade=(0.4, 0.6, 0.7)), {"gardens": "known"})
        == {}
    )


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_nearness_is_1_at_the_retrained_model_and_0_at_the_target(
    value: float, target: float, retrained: float
) -> None:
    found = nearness(value, target, retrained)
    if found is None:
        assert abs(target - retrained) < 0.25
        return
    assert 0 <= found <= 1
    assert nearness(retrained, target, retrained) == 1
    assert nearness(target, target, retrained) == 0


def test_every_run_of_a_method_counts_and_no_partial_one() -> None:
    whole = runs(target=(1.0, 0.8, 1.0), retrained=(0.2, 0.8, 0.4))
    several = [
        one.model_copy(update={"seed": seed})
        for seed, one in enumerate(runs(a=(0.2, 0.8, 0.4)) + runs(a=(0.6, 0.8, 0.4)))
    ]
    part = [one.model_copy(update={"forget_share": 0.5}) for one in runs(a=(1.0, 0.0, 1.0))]
    outcome = outcomes([*whole, *several, *part], {"gardens": "known"})["gardens", "a"]
    assert outcome.forgets == pytest.approx(0.75)


def test_several_requests_are_told_where_they_were_measured() -> None:
    stages = ({"model_utility": 0.9}, {"model_utility": 0.5})
    several = [one.model_copy(update={"requests": 2, "stages": stages}) for one in runs(fade=(0.4, 0.6, 0.7))]
    (one,) = candidates([method(Needs())], [KNOWN], several)
    assert one.verdicts["requests", "many"].why.endswith(
        "0.50 of utility are left after 2 requests on gardens, 0.90 after the first"
    )
    (other,) = candidates([method(Needs())], [KNOWN], [])
    assert other.verdicts["requests", "many"].why.endswith("was not measured")


@pytest.mark.parametrize(
    ("counts", "compared"),
    [
        ({"easy": 10, "hard": 10}, ("easy", "hard")),
        ({"easy": 10, "hard": 9}, ("easy", "hard")),
        ({"easy": 10, "hard": 8}, ("easy",)),
        ({"easy": 4, "hard": 5}, ("hard",)),  # of ten methods, as they are different ones
        ({}, ()),
    ],
)
def test_methods_are_compared_where_nearly_all_were_measured(counts: dict[str, int], compared: tuple[str, ...]) -> None:
    apart = counts.get("easy", 0) < 9
    measured = [
        (task, f"{task if apart else 'method'}-{number}") for task, count in counts.items() for number in range(count)
    ]
    assert compared_on(measured) == compared


def test_a_method_is_not_better_for_having_skipped_the_hard_task() -> None:
    easy, hard = Outcome(0.9, 0.9, 0.9, 1.0, 1), Outcome(0.1, 0.9, 0.1, 1.0, 1)
    one = method(Needs())
    both = Candidate(one, {}, {"easy": easy, "hard": hard}, ("easy",))
    half = Candidate(one, {}, {"easy": easy}, ("easy",))
    assert both.score(None) == half.score(None)
    assert both.shown(None) == half.shown(None)
    assert Candidate(one, {}, {"hard": hard}, ("easy",)).score(None) == 0
    assert Candidate(one, {}, {"easy": easy}, ("easy", "hard")).shown(None) is None
    assert half.score("hard") == 0


def test_of_what_runs_here_something_fits_every_answer() -> None:
    found, problems = read_implementations(Project(REPOSITORY).reference_impls)
    assert problems == []
    tasks = [one for one in found if one.kind == "task"]
    methods = candidates([one for one in found if one.kind == "method"], tasks, [])
    for question in questions(tasks):
        for option in question.options:
            assert any(one.fit({question.id: option.id}) != "no" for one in methods), (question.id, option.id)
    assert all(task.forgets for task in tasks)
    by_prompts = [one.method.id for one in methods if one.method.needs.access == "prompts"]
    assert by_prompts == ["cbd", "curate", "dragon", "guardrail", "icul", "rag"]
