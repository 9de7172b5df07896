"""What a training step on a real model takes, beside a plain implementation in the field's style, in the same run.

    python benchmarks/steps.py --out benchmarks/results/steps.json

The step is NPO's with a retain loss (arXiv 2404.05868), in float32 on the CPU or, where there is one, in bfloat16 on a
GPU. The model has the shape of SmolLM2-135M (or of Llama 3.2 1B with ``--model llama-1b``) and random weights, which
makes no difference to time and memory. *Plain* is what papers' code does: a frozen second model is asked at every step,
sequences are padded to the longest, the head reads every place, `torch.optim.AdamW` as it comes. The project's ways are
its own training loop: as it is, with gradient checkpointing, with LoRA, and with both.

Every measurement is a process of its own; the ways take turns, several rounds. Seconds are the median step of the best
round, memory is the largest resident size (of a GPU: allocated) above that of the loaded model. The first losses must
agree.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.models.tiny import new_tiny_model
from reference_impls.scaling import LoRA, Scaling
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

BETA = 0.1
RATE = 1e-5
WARM = 2
"""Steps before the clock counts."""

MODELS: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "llama-1b": {
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}


@dataclass(frozen=True)
class Shape:
    """Of a batch: texts of different lengths, evenly spread."""

    forget: int
    retain: int
    prompt: int
    """Tokens of a question."""
    shortest: int
    """Tokens of the shortest answer."""
    longest: int

    def pairs(self, count: int, seed: int) -> tuple[Pair, ...]:
        """Texts with one token for each word."""
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.linspace(self.shortest, self.longest, count).round().int().tolist()

        def words(length: int) -> str:
            return "".join(f" {WORDS[row]}" for row in torch.randint(len(WORDS), (length,), generator=generator))

        return tuple(Pair(words(self.prompt), words(length - 1)) for length in lengths)

    @property
    def data(self) -> UnlearningData:
        """One batch, the same at every step."""
        return UnlearningData(forget=self.pairs(self.forget, 1), retain=self.pairs(self.retain, 2))


WORDS = [f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u")]
SHAPES = {
    "questions": Shape(8, 8, 16, 16, 48),
    "texts": Shape(4, 4, 56, 200, 200),
    "long": Shape(8, 8, 112, 400, 400),
}
WAYS: dict[str, Scaling | None] = {
    "plain": None,
    "project": Scaling(),
    "checkpointing": Scaling(gradient_checkpointing=True),
    "lora": Scaling(lora=LoRA(16)),
    "lora and checkpointing": Scaling(lora=LoRA(16), gradient_checkpointing=True),
}


def new_model(name: str) -> LanguageModel:
    """A model of that shape, behind a tokenizer with one token for each word."""
    tokenizer = new_tiny_model([f" {word}" for word in WORDS] * 8, 0).tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        **MODELS[name],
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    if not torch.cuda.is_available():
        return LanguageModel(LlamaForCausalLM(config), tokenizer)
    with torch.device("cuda"):
        return LanguageModel(LlamaForCausalLM(config).to(torch.bfloat16), tokenizer)


def memory() -> float:
    """The most megabytes so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain(model: LanguageModel, shape: Shape, steps: int, tick: Callable[[float | None], None]) -> None:
    """As code of the field's papers goes."""
    policy, reference = model.model.train(), copy.deepcopy(model.model).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=RATE, weight_decay=0.0)
    forget, retain = (model.encode(pairs) for pairs in (shape.data.forget, shape.data.retain))

    def answer_loss(network: Any, batch: Any) -> torch.Tensor:
        logits = network(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits.float()
        labels = batch.labels[:, 1:]
        losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels, ignore_index=-100, reduction="none")
        means: torch.Tensor = losses.sum(dim=1) / (labels != -100).sum(dim=1)
        return means

    counts = (forget.labels[:, 1:] != -100).sum(dim=1)
    for _ in range(steps):
        loss_now = answer_loss(policy, forget)
        with torch.no_grad():
            loss_before = answer_loss(reference, forget)
        ratio = (loss_before - loss_now) * counts
        loss = -2 / BETA * F.logsigmoid(-BETA * ratio).mean() + answer_loss(policy, retain).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tick(loss.item())


def project(
    model: LanguageModel, shape: Shape, steps: int, scaling: Scaling, tick: Callable[[float | None], None]
) -> None:
    """By the project's own loop."""

    def progress(stage: str, done: int, total: int) -> None:
        tick(losses[-1] if losses else None)

    losses: list[float] = []

    class Watched(NPO):
        def loss(self, model: LanguageModel, batch: Any) -> torch.Tensor:
            value = super().loss(model, batch)
            losses.append(value.item())
            return value

    run = Run(Recipe(learning_rate=RATE, steps=steps, batch_size=shape.forget), 0, progress, scaling)
    adapted = run.adapt(model, scaling.lora) if scaling.lora else None
    Watched(beta=BETA, retain_weight=1.0).unlearn(model, shape.data, run)
    if adapted:
        adapted.merge()


def one(way: str, shape: Shape, model_name: str, steps: int) -> dict[str, float]:
    """A measurement, in this process."""
    model = new_model(model_name)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()  # making it takes more than it does
    loaded = memory()
    times, losses = [time.perf_counter()], []

    def tick(loss: float | None) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        if loss is not None:
            losses.append(loss)

    scaling = WAYS[way]
    if scaling is None:
        plain(model, shape, steps, tick)
    else:
        project(model, shape, steps, scaling, tick)
    seconds = [after - before for before, after in itertools.pairwise(times)][WARM:]
    return {
        "seconds": round(statistics.median(seconds), 4),
        "megabytes": round(memory() - loaded),
        "first_loss": round(losses[0], 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", choices=tuple(MODELS), default="smollm2-135m", help="of which shape")
    parser.add_argument(
        "--shapes", nargs="+", choices=tuple(SHAPES), default=["questions", "texts"], help="these alone"
    )
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS), help="these alone")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "SHAPE"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one[0], SHAPES[given.one[1]], given.model, given.steps)))
        return
    before = os.getloadavg()[0]
    runs: dict[str, dict[str, list[dict[str, float]]]] = {
        shape: {way: [] for way in given.ways} for shape in given.shapes
    }
    for _ in range(given.rounds):
        for shape in given.shapes:
            for way in given.ways:
                command = [sys.executable, __file__, "--model", given.model, "--steps", str(given.steps)]
                done = subprocess.run([*command, "--one", way, shape], check=True, stdout=subprocess.PIPE, text=True)
                runs[shape][way].append(json.loads(done.stdout.splitlines()[-1]))
                print(shape, way, runs[shape][way][-1], file=sys.stderr)
    measured = {}
    for shape, ways in runs.items():
        best = {way: min(rounds, key=lambda run: run["seconds"]) for way, rounds in ways.items()}
        measured[shape] = {
            way: {
                **run,
                "times_plain": round(run["seconds"] / best["plain"]["seconds"], 3),
                "memory_of_plain": round(run["megabytes"] / best["plain"]["megabytes"], 3),
            }
            for way, run in best.items()
        }
        apart = max(run["first_loss"] for run in best.values()) - min(run["first_loss"] for run in best.values())
        if apart > 1e-3 * best["plain"]["first_loss"] and not torch.cuda.is_available():
            sys.exit(f"the first losses of {shape} are {apart:.2g} apart: not the same step")
    machine = {
        "machine": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"{os.cpu_count()} cores, {platform.machine()}",
        "torch": torch.__version__,
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
    }
    text = json.dumps({**machine, "model": given.model, "measured": measured}, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
