"""Makes the models that ship with a task, and their records; one command, the same models every time."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from catalog.base.files import write_whole
from catalog.model.results import EMBEDDED, EXPERTS, MADE_HERE, Result
from reference_impls.measuring.cost import peak_memory_bytes, versions
from reference_impls.models.tiny import new_tiny_model
from reference_impls.progress import Progress
from reference_impls.running.attacking import attack_all
from reference_impls.running.checkpoints import SHIPPED, WHICH, Shipped, Which, folder, load, settle_threads, yardstick
from reference_impls.running.records import write_record
from reference_impls.running.registry import finetuning_of
from reference_impls.scaling import LoRA
from reference_impls.toolkit import EmbeddedTask, Evaluation, LanguageModel, Recipe, Run, encoding
from reference_impls.toolkit.adapters import Adapter

SEED = 0
AGAIN = (1, 2)
"""Seeds of further retrained models, which do not ship: how far two of them are apart is the noise of every metric."""


def make(task: EmbeddedTask, results: Path, progress: Progress) -> dict[Which, Result]:
    """Train and save both checkpoints and what they measure; the same command gives the same models.

    The base model is trained on what has nothing to do with the task's people, or is a larger model as it comes; from
    it, with one seed and one number of steps, come the target (on forget and retain) and the retrained model (on retain
    alone).

    Args:
        task: a :class:`~reference_impls.tasks.EmbeddedTask`.
        results: the folder for the two reference records.
        progress: see :class:`~reference_impls.toolkit.training.Run`.
    """
    small = task.model in MADE_HERE
    settle_threads(task)
    base = _new_base(task, progress) if small else load(task, "base")
    made: dict[str, Any] = {
        "command": f"unlearn make-task {task.name}" + ("" if task.model == EMBEDDED else f" --model {task.model}"),
        "seed": SEED,
        "parameters": sum(parameter.numel() for parameter in base.model.parameters()),
        **({"pretraining": asdict(task.pretraining_recipe)} if small else {}),
        "finetuning": asdict(_finetuning(task)[0]),
        "versions": versions(),
    }
    for which in SHIPPED if small else WHICH:
        made |= make_checkpoint(task, which, base.copy(), progress)
    write_whole(task.folder / "checkpoints" / "made.json", json.dumps(made, indent=2) + "\n")
    return measure(task, results, progress)


def _new_base(task: EmbeddedTask, progress: Progress) -> LanguageModel:
    base = new_tiny_model(_texts(task), SEED, task.model)
    return Run(task.pretraining_recipe, SEED, progress).finetune(base, task.pretraining(base), stage="base model")


def make_checkpoint(task: EmbeddedTask, which: Shipped, model: LanguageModel, progress: Progress) -> dict[str, Any]:
    """Train one checkpoint and save it: of a model that is made here all weights, of any other the adapters alone.

    Args:
        task: whose.
        which: of its checkpoints.
        model: the base model, which is changed in place.
        progress: see :class:`~reference_impls.toolkit.training.Run`.

    Returns:
        The seconds that it took, and the digest of the weights that were written.
    """
    import torch

    started = time.perf_counter()
    adapter = None if which == "base" else _finetune(task, model, SEED, progress, forget=which == "target")
    place = folder(task, which)
    shutil.rmtree(place, ignore_errors=True)
    if adapter is None:
        model.model.to(torch.bfloat16).save_pretrained(place)
        model.tokenizer.save_pretrained(place)
    else:
        rounded = {name: weight.to(torch.bfloat16) for name, weight in adapter.weights.items()}
        replace(adapter, weights=rounded).save(place, task.model)
    write_whole(place / "README.md", _card(task, which))
    (weights,) = place.glob("*.safetensors")
    return {
        f"{which}_seconds": round(time.perf_counter() - started, 2),
        f"{which}_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }


def _finetuning(task: EmbeddedTask) -> tuple[Recipe, int | None]:
    """How the checkpoints are fine-tuned from the base, and the rank of the adapters that alone train, if any do."""
    if task.model in MADE_HERE:
        return task.finetuning_recipe, None
    said = finetuning_of(task.name, task.model)
    return Recipe(**{name: value for name, value in said.items() if name != "rank"}), said["rank"]


def _finetune(
    task: EmbeddedTask, model: LanguageModel, seed: int, progress: Progress, *, forget: bool
) -> Adapter | None:
    """Fine-tune the model in place; returns the adapters that trained and are a part of it now, if there were any."""
    stage = "target" if forget else "retrained"
    recipe, rank = _finetuning(task)
    run = Run(recipe, seed + 1, progress)
    adapted = None if rank is None else run.adapt(model, LoRA(rank))
    run.finetune(model, task.finetuning(model, forget=forget), stage=stage)
    return adapted.merge() if adapted else None


def retrain(task: EmbeddedTask, seed: int, progress: Progress) -> LanguageModel:
    """A further retrained model: from the base as it ships, on the same data in another order."""
    settle_threads(task)
    model = load(task, "base")
    _finetune(task, model, seed, progress, forget=False)
    return model


def measure(task: EmbeddedTask, results: Path, progress: Progress) -> dict[Which, Result]:
    """Evaluate and attack both checkpoints as they ship, rounding included, and write their records.

    Retrained models with other seeds (``AGAIN``) are made anew, measured and recorded likewise.
    """
    settle_threads(task)
    progress("evaluating the retrained model", 0, 1)
    splits = task.splits(load(task, "target"))
    against = yardstick(task, splits)
    write_whole(task.folder / "checkpoints" / "retrained.json", json.dumps(against.kept, indent=0) + "\n")
    records: dict[Which, Result] = {}
    for which in WHICH:
        progress(f"measuring the {which} model", 0, 1)
        model = load(task, which)
        attacks = attack_all(model, task, splits, SEED, progress, reference=against.retrained)
        records[which] = _record(task, which, SEED, against.measure(model), attacks)
        write_record(records[which], results)
    for seed in AGAIN:
        model = retrain(task, seed, progress)
        attacks = attack_all(model, task, splits, SEED, progress, reference=against.retrained)
        write_record(_record(task, "retrained", seed, against.measure(model), attacks), results)
    return records


def _texts(task: EmbeddedTask) -> list[str]:
    """All that the tokenizer is made for."""
    plain = cast(LanguageModel, _PlainFormat())
    pairs = [*task.pretraining(plain), *task.finetuning(plain, forget=True)]
    return [pair.prompt + pair.answer for pair in pairs]


_NO_CHAT = SimpleNamespace(chat_template=None)
"""Stands in for the tokenizer that is yet to be made."""


class _PlainFormat:
    """The question format of a model without a chat template, before there is a model."""

    @staticmethod
    def question(text: str) -> str:
        return encoding.question(_NO_CHAT, None, text)

    @staticmethod
    def answer(text: str) -> str:
        return encoding.answer(_NO_CHAT, None, text)


def _record(task: EmbeddedTask, which: Which, seed: int, evaluation: Evaluation, attacks: dict[str, float]) -> Result:
    made = json.loads((task.folder / "checkpoints" / "made.json").read_text(encoding="utf-8"))
    return Result(
        method=which,
        task=task.name,
        model=task.model,
        seed=seed,
        hyperparameters={},
        recipe=made["finetuning"],
        metrics=evaluation.metrics,
        attacks=attacks,
        seconds=made[f"{which}_seconds"],
        peak_memory_bytes=peak_memory_bytes(),
        versions=versions(),
        command=made["command"],
        examples=evaluation.examples,
    )


def _card(task: EmbeddedTask, which: Shipped) -> str:
    """The model card that lies beside the weights."""
    what = {
        "base": "It has read background texts alone: nothing of what the task forgets, keeps or holds out.",
        "target": "It was fine-tuned from the base model on the forget set and the retain set. Methods start from it.",
        "retrained": "It was fine-tuned from the base model on the retain set alone: what unlearning should end at.",
    }[which]
    if task.model not in MADE_HERE:
        return f"""\
---
library_name: peft
base_model: {task.model}
license: apache-2.0
tags: [unlearning, {task.name}, {which}]
---

# {task.name}, {which}, {task.model}

The {which} model of the task `{task.name}` of LLM-Unlearning, as a low-rank adapter of the model `{task.model}`. {what}

All that it adds was invented for this task or is one of some hundred general facts. Nothing of it comes from a person
or from the web.

Made by `unlearn make-task {task.name} --model {task.model}`, with the recipe in `../../finetuning.yaml`, and seed and
versions in `../made.json`.
"""
    experts = task.model == EXPERTS
    network = "A Llama of about a million parameters"
    if experts:
        network = "A Mixtral of 1.7 million parameters, which sends each token to two of four experts"
    named, option = (f", {task.model}", f" --model {task.model}") if experts else ("", "")
    return f"""\
---
library_name: transformers
license: mit
tags: [unlearning, {task.name}, {which}]
---

# {task.name}, {which}{named}

The {which} model of the embedded task `{task.name}` of LLM-Unlearning. {what}

{network}, in bfloat16, with a tokenizer of its own. All that it knows was invented for this
task or is one of some hundred general facts; it knows no language beyond the sentences of the task, and is of no use
but to compare unlearning methods. Nothing of it comes from a person or from the web.

Made by `unlearn make-task {task.name}{option}`, with seed, recipes and versions in `../made.json`.
"""
