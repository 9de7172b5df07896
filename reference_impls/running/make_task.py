"""Makes the models that ship with a task, and their records; one command, the same models every time."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from catalog.base.files import write_whole
from catalog.model.results import EMBEDDED, Result
from reference_impls.measuring.cost import one_thread, peak_memory_bytes, versions
from reference_impls.models.tiny import new_tiny_model
from reference_impls.progress import Progress
from reference_impls.running.attacking import attack_all
from reference_impls.running.checkpoints import SHIPPED, WHICH, Shipped, Which, folder, load, yardstick
from reference_impls.running.records import write_record
from reference_impls.toolkit import EmbeddedTask, Evaluation, LanguageModel, Run, encoding

SEED = 0
AGAIN = (1, 2)
"""Seeds of further retrained models, which do not ship: how far two of them are apart is the noise of every metric."""


def make(task: EmbeddedTask, results: Path, progress: Progress) -> dict[Which, Result]:
    """Train and save both checkpoints and what they measure; the same command gives the same models.

    One base model is trained on what has nothing to do with the task's people; from it, with one seed and one
    number of steps, come the target (on forget and retain) and the retrained model (on retain alone).

    Args:
        task: a :class:`~reference_impls.tasks.EmbeddedTask`.
        results: the folder for the two reference records.
        progress: see :class:`~reference_impls.toolkit.training.Run`.
    """
    import torch

    one_thread()
    base = new_tiny_model(_texts(task), SEED)
    Run(task.pretraining_recipe, SEED, progress).finetune(base, task.pretraining(base), stage="base model")
    made: dict[str, Any] = {
        "command": f"unlearn make-task {task.name}",
        "seed": SEED,
        "parameters": sum(parameter.numel() for parameter in base.model.parameters()),
        "pretraining": asdict(task.pretraining_recipe),
        "finetuning": asdict(task.finetuning_recipe),
        "versions": versions(),
    }
    for which in SHIPPED:
        model = base.copy()
        started = time.perf_counter()
        if which != "base":
            _finetune(task, model, SEED, progress, forget=which == "target")
        place = folder(task, which)
        model.model.to(torch.bfloat16).save_pretrained(place)
        model.tokenizer.save_pretrained(place)
        write_whole(place / "README.md", _card(task, which))
        made[f"{which}_seconds"] = round(time.perf_counter() - started, 2)
        made[f"{which}_sha256"] = hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
    write_whole(task.folder / "checkpoints" / "made.json", json.dumps(made, indent=2) + "\n")
    return measure(task, results, progress)


def _finetune(
    task: EmbeddedTask, model: LanguageModel, seed: int, progress: Progress, *, forget: bool
) -> LanguageModel:
    stage = "target" if forget else "retrained"
    run = Run(task.finetuning_recipe, seed + 1, progress)
    return run.finetune(model, task.finetuning(model, forget=forget), stage=stage)


def retrain(task: EmbeddedTask, seed: int, progress: Progress) -> LanguageModel:
    """A further retrained model: from the base as it ships, on the same data in another order."""
    one_thread()
    return _finetune(task, load(task, "base"), seed, progress, forget=False)


def measure(task: EmbeddedTask, results: Path, progress: Progress) -> dict[Which, Result]:
    """Evaluate and attack both checkpoints as they ship, rounding included, and write their records.

    Retrained models with other seeds (``AGAIN``) are made anew, measured and recorded likewise.
    """
    one_thread()
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
        return encoding.question(_NO_CHAT, text)

    @staticmethod
    def answer(text: str) -> str:
        return encoding.answer(_NO_CHAT, text)


def _record(task: EmbeddedTask, which: Which, seed: int, evaluation: Evaluation, attacks: dict[str, float]) -> Result:
    made = json.loads((task.folder / "checkpoints" / "made.json").read_text(encoding="utf-8"))
    return Result(
        method=which,
        task=task.name,
        model=EMBEDDED,
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
    return f"""\
---
library_name: transformers
license: mit
tags: [unlearning, {task.name}, {which}]
---

# {task.name}, {which}

The {which} model of the embedded task `{task.name}` of LLM-Unlearning. {what}

A Llama of about a million parameters, in bfloat16, with a tokenizer of its own. All that it knows was invented for this
task or is one of some hundred general facts; it knows no language beyond the sentences of the task, and is of no use
but to compare unlearning methods. Nothing of it comes from a person or from the web.

Made by `unlearn make-task {task.name}`, with seed, recipes and versions in `../made.json`.
"""
