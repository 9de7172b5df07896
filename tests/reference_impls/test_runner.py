from __future__ import annotations

import json
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from invented_results import invented_result
from unlearning_toys import write_rows

from catalog import __version__
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.measuring import cost
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import find_method
from reference_impls.running.runner import run
from reference_impls.running.saving import card, prepare_folder, save
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import (
    Evaluation,
    LanguageModel,
    Pair,
    Recipe,
    Splits,
    UnlearnedModel,
    UnlearningData,
)


def _result(**changes: Any) -> Result:
    return invented_result(**({"hyperparameters": {"beta": 0.1}, "recipe": {"steps": 3}} | changes))


@pytest.fixture
def own(tmp_path: Path, pairs: list[Pair]) -> FilesTask:
    """A task of files: three rows to forget, three to keep, two held out."""
    for name, rows in (("forget", pairs[:3]), ("retain", pairs[3:6]), ("holdout", pairs[6:])):
        write_rows(tmp_path / name, rows)
    return FilesTask(tmp_path / "forget", tmp_path / "retain", tmp_path / "holdout")


# What a model was before


def test_a_record_is_not_lost_for_a_package_that_was_not_installed(
    own: FilesTask, saved_tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the project is run from its folder, on a machine that has all it needs."""

    def version(package: str) -> str:
        if package == "llm-unlearning":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(cost, "version", version)
    outcome = run(Experiment("npo", model=str(saved_tiny), recipe={"steps": 1}), own)
    assert outcome.result.versions["llm-unlearning"] == __version__
    assert outcome.result.versions["torch"] == "1.0"


def test_an_earlier_checkpoint_is_taken_by_who_needs_it_and_by_nobody_else(own: FilesTask, saved_tiny: Path) -> None:
    named: dict[str, Any] = {"model": str(saved_tiny), "recipe": {"steps": 1}}
    with pytest.raises(UsageError, match=r"MSA needs the model as it was before .* with --earlier DIR_OR_NAME"):
        run(Experiment("msa", **named), own)
    with pytest.raises(UsageError, match="NPO has no use for an earlier checkpoint; leave --earlier out"):
        run(Experiment("npo", earlier=str(saved_tiny), **named), own)
    outcome = run(Experiment("msa", earlier=str(saved_tiny), **named), own)
    assert f"--earlier {saved_tiny}" in outcome.result.command


def test_a_task_without_a_base_model_says_which_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_impls.running.checkpoints.ships_base", lambda task: False)
    with pytest.raises(UsageError, match=r"'passages' ships none. 'authors' does"):
        run(Experiment("msa", "passages"))


# A run


def test_a_run_measures_before_and_after_and_records_all_that_decided_it(
    own: FilesTask, saved_tiny: Path, tiny: LanguageModel
) -> None:
    told: list[str] = []
    outcome = run(
        Experiment(
            "npo",
            model=str(saved_tiny),
            seed=3,
            settings={"beta": "0.7", "retain_weight": "0"},
            recipe={"steps": 4, "learning_rate": 1e-3},
        ),
        own,
        progress=lambda stage, done, total: told.append(stage),
    )
    result = outcome.result
    assert (result.method, result.task, result.model, result.seed) == ("npo", "files", str(saved_tiny), 3)
    assert result.hyperparameters == {"beta": 0.7, "retain_weight": 0.0}
    published = {"batch_size": 32, "weight_decay": 0.01, "warmup": 0.1}
    assert result.recipe == asdict(Recipe(steps=4, learning_rate=1e-3)) | published
    assert result.recipe_source.endswith("steps, learning rate chosen for this run")
    assert set(result.metrics) == set(outcome.before)
    assert "membership_auc" in result.metrics
    assert "forget_quality" not in result.metrics
    assert outcome.retrained == {}
    assert result.seconds > 0
    assert result.peak_memory_bytes > 10**7
    assert {"python", "torch", "transformers", "llm-unlearning"} <= set(result.versions)
    assert {one.split for one in result.examples} == {"forget", "retain", "holdout"}
    assert [one for one in dict.fromkeys(told) if one != "loading"] == [
        "evaluating the model before",
        "unlearning",
        "evaluating",
    ]
    assert outcome.before["forget_probability"] > result.metrics["forget_probability"]
    assert Result.model_validate_json(result.to_json()) == result


@pytest.mark.parametrize("method", ["npo", "whp", "icul", "gradient-ascent", "grad-diff"])
def test_plain_text_can_be_forgotten_by_every_method(method: str, tmp_path: Path, saved_tiny: Path) -> None:
    for name in ("forget", "retain"):
        rows = [json.dumps({"text": f"{who} of the {name} set was born in {season}."}) for who, season in
                (("Ana Lund", "winter"), ("Bo Reyes", "spring"))]  # fmt: skip
        (tmp_path / name).write_text("\n".join(rows), encoding="utf-8")
    task = FilesTask(tmp_path / "forget", tmp_path / "retain")
    outcome = run(Experiment(method, model=str(saved_tiny), recipe={"steps": 2}), task)
    assert 0 <= outcome.result.metrics["forget_probability"] <= 1


def test_a_share_of_the_forget_set_is_forgotten_and_measured(
    own: FilesTask, saved_tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    evaluate = own.evaluate

    def spied(model: UnlearnedModel, splits: Splits, *kept: Any) -> Evaluation:
        asked.append(len(splits.forget))
        return evaluate(model, splits, *kept)

    monkeypatch.setattr(own, "evaluate", spied)
    outcome = run(
        Experiment("grad-diff", model=str(saved_tiny), forget_share=0.34, recipe={"steps": 2, "batch_size": 2}), own
    )
    assert asked == [1, 1]
    result = outcome.result
    assert (result.forget_share, result.requests, result.stages, result.plain) == (0.34, 1, (), False)
    assert (result.forward_passes, result.backward_passes) == (4, 4)
    assert result.file == f"files/{saved_tiny}/grad-diff-0-share-0.34.json"


def test_requests_follow_each_other_and_each_is_measured_with_those_before(own: FilesTask, saved_tiny: Path) -> None:
    outcome = run(
        Experiment(
            "gradient-ascent",
            model=str(saved_tiny),
            requests=3,
            recipe={"steps": 5, "batch_size": 1, "learning_rate": 1e-3},
        ),
        own,
    )
    result = outcome.result
    assert result.requests == len(result.stages) == 3
    assert result.stages[2].items() <= result.metrics.items()
    known = [stage["forget_probability"] for stage in result.stages]
    assert known[2] < outcome.before["forget_probability"]
    # Ascent on one sequence a step, three times; looking at the model does not count.
    assert (result.forward_passes, result.backward_passes) == (15, 15)
    assert result.file.endswith("gradient-ascent-0-requests-3.json")


def test_requests_are_refused_to_what_leaves_the_weights_alone(own: FilesTask, saved_tiny: Path) -> None:
    with pytest.raises(UsageError, match="works around them"):
        run(Experiment("icul", model=str(saved_tiny), requests=2), own)


def test_training_that_diverges_is_one_clear_message(own: FilesTask, saved_tiny: Path) -> None:
    with pytest.raises(UsageError, match="diverged"):
        run(Experiment("gradient-ascent", model=str(saved_tiny), recipe={"steps": 3, "learning_rate": 1e30}), own)


def test_a_task_without_a_model_asks_for_one(own: FilesTask, tmp_path: Path) -> None:
    own.folder = tmp_path
    with pytest.raises(UsageError, match="--model"):
        run(Experiment("npo"), own)


def test_a_wrong_setting_is_found_before_any_model_is_loaded(own: FilesTask) -> None:
    with pytest.raises(UsageError, match="beta"):
        run(Experiment("npo", model="/nowhere", settings={"beta": "-1"}), own)


# Models that cannot be loaded


def test_a_folder_without_a_model_is_named(own: FilesTask, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        run(Experiment("npo", model=str(tmp_path)), own)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"{}"),
        ("config.json", b'{"model_type": "nonsense"}'),
        ("model.safetensors", b"not weights"),
        ("tokenizer.json", b"{"),
    ],
)
def test_a_damaged_model_is_one_clear_message(
    file: str, content: bytes, own: FilesTask, tiny: LanguageModel, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    (folder / file).write_bytes(content)
    with pytest.raises(UsageError, match="could not be loaded: ") as caught:
        run(Experiment("npo", model=str(folder)), own)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no-such/model", "no such model", "../nowhere", "a/b/c/d", "http://x", "-"])
def test_a_model_that_is_not_there_is_one_clear_message(name: str, own: FilesTask) -> None:
    with pytest.raises(UsageError, match="could not be loaded"):
        run(Experiment("npo", model=name), own)


def test_a_misspelt_model_suggests_the_nearest_name(own: FilesTask) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'smollm2'\?"):
        run(Experiment("npo", model="smolm2"), own)


# Saving


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        prepare_folder(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be made"):
        prepare_folder(tmp_path / "file" / "inside")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"


def test_a_saved_run_is_a_model_a_card_and_a_record(tmp_path: Path, tiny: LanguageModel, pairs: list[Pair]) -> None:
    folder = tmp_path / "deep" / "out"
    prepare_folder(folder)
    save(folder, tiny, find_method("npo"), _result())
    loaded = LanguageModel.load(folder)
    for one, other in zip(loaded.pair_logprobs(pairs[:2]), tiny.pair_logprobs(pairs[:2]), strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), abs=1e-6)
    assert Result.model_validate_json((folder / "result.json").read_bytes()) == _result()
    assert "unlearned with NPO" in (folder / "README.md").read_text(encoding="utf-8")
    assert not (folder / "wrapper.json").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_saving_that_fails_leaves_nothing_half_written(
    tmp_path: Path, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    prepare_folder(folder)

    def full(self: Result) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(Result, "to_json", full)
    with pytest.raises(OSError, match="disk full"):
        save(folder, tiny, find_method("npo"), _result())
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["out"])


def test_a_card_says_what_was_done_and_measured_and_how_to_repeat_it() -> None:
    text = card(find_method("npo"), _result(), weights_changed=True)
    assert text.startswith("---\nlibrary_name: transformers\n")
    for part in (
        "| beta | 0.1 |",
        "| steps | 3 |",
        "| seed | 0 |",
        "| forget_probability | 0.25 |",
        "`unlearn run npo`",
    ):
        assert part in text
    assert "wrapper.json" not in text
    assert "weights are those of the original model" in card(find_method("icul"), _result(), weights_changed=False)
    assert "weights alone are not the unlearned" in card(find_method("quark"), _result(), weights_changed=False)


def test_a_record_has_a_place_by_task_model_method_and_seed(tmp_path: Path) -> None:
    assert _result(seed=2).file == "authors/tiny/npo-2.json"


def test_methods_are_never_given_what_evaluation_asks() -> None:
    assert [field.name for field in fields(UnlearningData)] == ["forget", "retain", "anchors"]
