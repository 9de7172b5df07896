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
from reference_impls.running.checkpoints import WHICH, Which, folder, load, yardstick
from reference_impls.running.records import write_record
from reference_impls.toolkit import EmbeddedTask, Evaluation, LanguageModel, Run, encoding

SEED = 0


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
    for which in WHICH:
        model = base.copy()
        started = time.perf_counter()
        pairs = task.finetuning(model, forget=which == "target")
        Run(task.finetuning_recipe, SEED + 1, progress).finetune(model, pairs, stage=which)
        place = folder(task, which)
        model.model.to(torch.bfloat16).save_pretrained(place)
        model.tokenizer.save_pretrained(place)
        made[f"{which}_seconds"] = round(time.perf_counter() - started, 2)
        made[f"{which}_sha256"] = hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
    write_whole(task.folder / "checkpoints" / "made.json", json.dumps(made, indent=2) + "\n")
    return measure(task, results, progress)


def measure(task: EmbeddedTask, results: Path, progress: Progress) -> dict[Which, Result]:
    """Evaluate and attack both checkpoints as they ship, rounding included, and write their records."""
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
        records[which] = _record(task, which, against.measure(model), attacks)
        write_record(records[which], results)
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


def _record(task: EmbeddedTask, which: Which, evaluation: Evaluation, attacks: dict[str, float]) -> Result:
    made = json.loads((task.folder / "checkpoints" / "made.json").read_text(encoding="utf-8"))
    return Result(
        method=which,
        task=task.name,
        model=EMBEDDED,
        seed=SEED,
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
