"""The search on one's own model and data: what is held back, how trials are judged, and what it says in the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_runs import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from unlearning_toys import write_rows

from reference_impls.errors import UsageError
from reference_impls.running.own_tuning import hold_back, in_turn, judged, space_of
from reference_impls.running.registry import find_method, methods
from reference_impls.running.search_space import LEARNING_RATE
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import Pair, Recipe

BEFORE = {"forget_probability": 0.9, "forget_rouge": 1.0, "retain_probability": 0.8, "retain_rouge": 0.5}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=2, max_size=30))
def test_whole_subjects_are_held_back_and_the_rest_is_trained_on(rows: list[tuple[int, str]]) -> None:
    pairs = [Pair(f"q{subject}", answer, subject=f"s{subject}") for subject, answer in rows]
    subjects = {pair.subject for pair in pairs}
    if len(subjects) < 2:
        with pytest.raises(UsageError, match="one subject"):
            hold_back(pairs)
        return
    trained, held = hold_back(pairs)
    assert sorted([*trained, *held], key=repr) == sorted(pairs, key=repr)
    assert trained
    assert held
    assert not {pair.subject for pair in trained} & {pair.subject for pair in held}
    assert len({pair.subject for pair in held}) == max(1, len(subjects) // 5)
    assert hold_back(pairs[::-1])[1] == held[::-1]


@pytest.mark.parametrize(
    ("after", "before", "expected"),
    [
        (BEFORE, BEFORE, (0.0, 1.0)),
        (dict.fromkeys(BEFORE, 0.0), BEFORE, (1.0, 0.0)),
        (BEFORE | {"forget_probability": 0.45, "forget_rouge": 0.5, "retain_rouge": 0.25}, BEFORE, (0.5, 0.75)),
        # As unknown as the holdout set is the goal; beyond it is too far.
        (
            BEFORE | {"forget_probability": 0.1, "forget_rouge": 0.2},
            BEFORE | {"holdout_probability": 0.1, "holdout_rouge": 0.2},
            (1.0, 1.0),
        ),
        (
            BEFORE | {"forget_probability": 0.0, "forget_rouge": 0.0},
            BEFORE | {"holdout_probability": 0.45, "holdout_rouge": 0.5},
            (0.0, 1.0),
        ),
        # What was known better than before counts no more than what was.
        (BEFORE | {"retain_probability": 1.0, "retain_rouge": 1.0}, BEFORE, (0.0, 1.0)),
    ],
)
def test_trials_are_judged_by_how_far_they_go_and_what_they_leave(
    after: dict[str, float], before: dict[str, float], expected: tuple[float, float]
) -> None:
    assert judged(after, before) == pytest.approx(expected)


def test_there_must_be_something_to_forget_and_to_keep() -> None:
    with pytest.raises(UsageError, match="there is nothing to forget"):
        judged(BEFORE, BEFORE | {"holdout_probability": 0.95, "holdout_rouge": 1.0})
    with pytest.raises(UsageError, match="held back"):
        judged(BEFORE, BEFORE | {"retain_probability": 0.0, "retain_rouge": 0.0})


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_every_method_begins_with_what_was_published(method: str) -> None:
    found = find_method(method)
    recipe = Recipe(learning_rate=2e-5, steps=40)
    space = space_of(found, recipe, {})
    first = space.settings(in_turn(space)[0])
    if space.rate.name == LEARNING_RATE:
        assert first[LEARNING_RATE] == recipe.learning_rate
        assert first["steps"] == recipe.steps
        if found.knob:
            assert first[found.knob.name] == found.knob.default
    assert len({str(space.settings(point)) for point in in_turn(space)}) == len(in_turn(space)) >= 3


@pytest.fixture
def own(tmp_path: Path, pairs: Sequence[Pair], saved_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A model, which knows as little of everything, and files of three rows to forget and five to keep."""
    monkeypatch.setattr(FilesTask, "max_new_tokens", 3)
    for name, rows in (("forget", pairs[:3]), ("retain", pairs[3:])):
        write_rows(tmp_path / f"{name}.jsonl", rows)
    files = ["--forget", tmp_path / "forget.jsonl", "--retain", tmp_path / "retain.jsonl"]
    return ["--model", saved_tiny, *files]


def test_the_search_says_what_it_tried_and_cost_and_the_command_for_the_best(
    own: list[object], unlearn: Run, tmp_path: Path
) -> None:
    ran = unlearn("tune", "grad-diff", "--methods", "npo", *own, "--budget", 2, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert [one["method"] for one in found["trials"]] == ["grad-diff"] * 2 + ["npo"] * 2
    assert found["trials"][0]["settings"][LEARNING_RATE] == 1e-5  # what was published comes first
    assert found["best"] == max(found["trials"], key=lambda one: one["score"])
    assert (found["held_back"], found["trained_on"]) == (1, 4)
    assert found["seconds"] >= sum(one["seconds"] for one in found["trials"])
    assert all(one["backward_passes"] > 0 for one in found["trials"])
    words = found["command"].split()
    assert words[:3] == ["unlearn", "run", found["best"]["method"]]
    assert {"--model", "--forget", "--retain", "--learning-rate", "--steps"} <= set(words)


def test_trials_are_made_as_the_run_at_the_end_will_be(own: list[object], saved_tiny: Path, unlearn: Run) -> None:
    scaled = ["--accumulate", 2, "--gradient-checkpointing", "--lora", "--lora-rank", 2]
    ran = unlearn("tune", "grad-diff", *own, *scaled, "--budget", 1, "--json")
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["command"].endswith(
        "--lora --lora-rank 2 --accumulate 2 --gradient-checkpointing --set retain_weight=1.0"
    )


def test_an_earlier_checkpoint_goes_to_those_that_need_one(own: list[object], saved_tiny: Path, unlearn: Run) -> None:
    ran = unlearn("tune", "msa", "npo", *own, "--earlier", saved_tiny, "--budget", 1, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert [one["method"] for one in found["trials"]] == ["msa", "npo"], found["left_out"]
    assert ("--earlier" in found["command"]) == (found["best"]["method"] == "msa")


def test_a_method_that_the_data_does_not_suit_takes_no_other_with_it(
    own: list[object], pairs: Sequence[Pair], tmp_path: Path, unlearn: Run
) -> None:
    short = [Pair(pair.prompt, " ".join(pair.answer.split()[:3])) for pair in pairs[:3]]
    write_rows(tmp_path / "forget.jsonl", short)
    ran = unlearn("tune", "grad-diff", "ga-until-forgotten", *own, "--budget", 1, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert [one["method"] for one in found["trials"]] == ["grad-diff"]
    assert "10 words" in found["left_out"]["ga-until-forgotten"]


def test_the_search_ends_when_the_time_is_over_and_prints_for_people(own: list[object], unlearn: Run) -> None:
    ran = unlearn("tune", "grad-diff", *own, "--budget", 3, "--minutes", 0)
    assert ran.status == 0, ran.err
    assert ran.out.count("learning rate") == 1
    for part in ("Held back from training: 1 of 5 rows", "The time was over", "1 trials took", "unlearn run grad-diff"):
        assert part in ran.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["npo", "--budget", "3"], "--budget is for a model of your own"),
        (["npo", "--lora", "--lora-rank", "3"], "--lora is for a model of your own"),
        (["npo", "--autoencoder", "layers.1"], "--autoencoder is for a model of your own"),
        (["npo", "--model", "M"], "needs --forget FILE and --retain FILE"),
        (["npo", "--model", "M", "--forget", "f.jsonl"], "needs --forget FILE and --retain FILE"),
        (["nop", "--model", "M"], "Did you mean 'npo'?"),
        (["npo", "--task", "tofu/forget10"], "ships no models"),
    ],
)
def test_what_a_search_lacks_is_said(words: list[str], says: str, unlearn: Run) -> None:
    ran = unlearn("tune", *words)
    assert ran.status == 2
    assert says in ran.err


@pytest.mark.parametrize(
    ("option", "says"),
    [("--earlier", "has a use for an earlier checkpoint; leave --earlier"), ("--autoencoder", "reads features; leave")],
)
def test_what_no_method_has_a_use_for_is_said_before_anything_is_loaded(
    option: str, says: str, own: list[object], unlearn: Run
) -> None:
    ran = unlearn("tune", "npo", "grad-diff", *own, option, "nowhere")
    assert ran.status == 2
    assert f"None of the methods {says}" in " ".join(ran.err.split())
