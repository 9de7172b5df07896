"""A package of somebody else's that brings a method, an attack, a task, a metric and a model."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import command_runs
import pytest
from unlearning_toys import invented_pairs, write_rows

from reference_impls import extensions
from reference_impls.running import registry

METHOD = '''
    """Halved ascent (HA).

    Ascend on the forget answers, with half of their loss.
    """
    from dataclasses import dataclass

    from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll


    @dataclass(frozen=True)
    class HalvedAscent(LossMethod):
        """Ascend with half the loss."""

        paper = "somebody2026halved"
        family = "gradient-ascent"
        acts_on = "loss"
        retain = "unused"

        part: float = hyperparameter(0.5, "how much of the loss", source="this package", above=0)

        def loss(self, model: LanguageModel, batch: Batch):
            """Minus a part of the forget loss."""
            return -self.part * mean_nll(*model.token_logits(batch.forget))
'''
ATTACK = '''
    """Shouting.

    Ask in capital letters.
    """
    from dataclasses import dataclass, replace

    from reference_impls.toolkit import Attack


    @dataclass(frozen=True)
    class ShoutingAttack(Attack):
        """Ask in capital letters."""

        paper = "somebody2026shouting"

        def measure(self, victim, run):
            """``shouted``."""
            asked = [replace(pair, prompt=pair.prompt.upper()) for pair in victim.splits.forget]
            return {"shouted": victim.knows(pairs=asked)}
'''
TASK = '''
    """Two seasons.

    Forget who likes which season.
    """
    from reference_impls.toolkit import Pair, Splits, Task


    class SeasonsTask(Task):
        """Forget one, keep one."""

        paper = "somebody2026seasons"
        headline = "forget_probability"

        def splits(self, model):
            """A pair each."""
            pair = Pair(model.question("Which season does Ada like?"), model.answer("Ada likes summer."))
            other = Pair(model.question("Which season does Bela like?"), model.answer("Bela likes winter."))
            return Splits(forget=(pair,), retain=(other,))
'''
OTHERS = """
    from reference_impls.toolkit import LanguageModel


    def forget_length(model, splits):
        return sum(len(pair.answer) for pair in splits.forget)


    def broken(model, splits):
        raise KeyError("nothing here")


    def mine(loading):
        return LanguageModel.load(FOLDER, window=loading.window)
"""
ENTRY_POINTS = """
    [llm_unlearning.methods]
    halved-ascent = others_package.halved_ascent
    npo = others_package.halved_ascent
    nowhere = others_package.nowhere
    half-done = others_package.half_done

    [llm_unlearning.attacks]
    shouting = others_package.shouting

    [llm_unlearning.tasks]
    seasons = others_package.seasons

    [llm_unlearning.metrics]
    forget_length = others_package.others:forget_length
    forget_rouge = others_package.others:forget_length
    never = others_package.others:broken
    absent = others_package.others:absent

    [llm_unlearning.models]
    mine = others_package.others:mine
"""


@pytest.fixture
def package(tmp_path: Path, saved_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package, installed as pip would; nothing of it is left afterwards."""
    place = tmp_path / "installed"
    files = {
        "others_package/__init__.py": "raise RuntimeError('imported before anybody needs it')",
        "others_package/halved_ascent.py": dedent(METHOD),
        "others_package/half_done.py": dedent(METHOD).replace('family = "gradient-ascent"', ""),
        "others_package/shouting.py": dedent(ATTACK),
        "others_package/seasons.py": dedent(TASK),
        "others_package/others.py": dedent(OTHERS).replace("FOLDER", repr(str(saved_tiny))),
        "others_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: others-package\nVersion: 1.0\n",
        "others_package-1.0.dist-info/entry_points.txt": dedent(ENTRY_POINTS),
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(place)
    for cached in (registry.implementations, extensions.implementations):
        cached.cache_clear()
    importlib.invalidate_caches()
    yield place
    for cached in (registry.implementations, extensions.implementations):
        cached.cache_clear()
    for name in [one for one in sys.modules if one.startswith("others_package")]:
        del sys.modules[name]


def test_what_others_bring_is_listed_without_importing_it(package: Path, unlearn: command_runs.Run) -> None:
    listed = unlearn("list", "--json")
    found = {one["id"]: one for one in json.loads(listed.out)}
    assert found["halved-ascent"]["name"] == "HA"
    assert found["halved-ascent"]["family"] == "gradient-ascent"
    assert found["halved-ascent"]["file"] == str(package / "others_package" / "halved_ascent.py")
    assert "shouting" in unlearn("attacks").out
    assert "seasons: Forget who likes which season." in unlearn("tasks").out
    assert "others_package" not in sys.modules


def test_what_cannot_be_taken_is_left_out_with_a_word_each(package: Path, unlearn: command_runs.Run) -> None:
    said = unlearn("list").err
    assert "others-package registers the method 'npo', a name that is taken; it is left out." in said
    assert "others-package registers the method 'nowhere', but has no module others_package.nowhere" in said
    assert "half_done.py" in said
    assert "does not say its 'family'" in said
    assert unlearn("show", "npo").out.startswith("Negative preference optimization")


def test_it_runs_as_the_projects_own(package: Path, tmp_path: Path, unlearn: command_runs.Run) -> None:
    (package / "others_package" / "__init__.py").write_text("", encoding="utf-8")
    run = ("run", "halved-ascent", "--task", "seasons", "--model", "mine", "--steps", "2", "--set", "part=0.25")
    ran = unlearn(*run, "--attacks", "--out", tmp_path / "out", "--json")
    assert ran.status == 0, ran.err
    record = json.loads(ran.out)
    assert record["hyperparameters"] == {"part": 0.25}
    assert record["task"] == "seasons"
    assert record["metrics"]["forget_length"] == len(" Ada likes summer.")
    assert "shouted" in record["attacks"]
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "`others_package.halved_ascent` of the package others-package" in card
    assert unlearn("eval", tmp_path / "out", "--task", "seasons").status == 0


def test_a_metric_that_fails_takes_no_training_with_it(package: Path, unlearn: command_runs.Run) -> None:
    (package / "others_package" / "__init__.py").write_text("", encoding="utf-8")
    ran = unlearn("run", "halved-ascent", "--task", "seasons", "--model", "mine", "--steps", "1", "--json")
    record = json.loads(ran.out)
    assert "The metric 'never' of others-package failed: KeyError: 'nothing here'" in record["notes"]
    assert "others-package registers the metric 'forget_rouge', a name that is taken." in record["notes"]
    assert "'absent', which cannot be imported" in ran.err


def test_a_task_without_models_says_how_to_name_one(package: Path, unlearn: command_runs.Run) -> None:
    (package / "others_package" / "__init__.py").write_text("", encoding="utf-8")
    ran = unlearn("run", "ga", "--task", "seasons")
    assert ran.status == 2
    assert "ships no model; name one with --model" in ran.err


def test_data_of_ones_own_goes_with_the_method(package: Path, tmp_path: Path, unlearn: command_runs.Run) -> None:
    (package / "others_package" / "__init__.py").write_text("", encoding="utf-8")
    write_rows(tmp_path / "forget.jsonl", invented_pairs()[:3])
    ran = unlearn("run", "halved-ascent", "--model", "mine", "--forget", tmp_path / "forget.jsonl", "--steps", "1")
    assert ran.status == 0, ran.err
