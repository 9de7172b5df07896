"""Several processes that train one model together: who this one is, and what they tell each other.

Every process draws the same batches, holds the same weights and takes the same steps; only the passes through the model
are divided (:mod:`~reference_impls.toolkit.parts`). So methods know nothing of it, and what they compute of a batch is
what one process would compute of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from reference_impls.errors import UsageError

PATIENCE = timedelta(days=1)
"""How long processes wait for each other: as long as the first one may evaluate or save meanwhile."""

_ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
}
_ELSEWHERE = {
    "ACCELERATE_MIXED_PRECISION": ("no", "mixed precision", "--dtype bfloat16"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "gradient accumulation", "--accumulate"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "compilation", "nothing: it is not done here"),
}
"""What accelerate may be told and is said here in another way: its value for 'no', its name, and the other way."""


def check_launch() -> None:
    """Look whether this process was started in a way that means here what it says.

    Raises:
        UsageError: it was not; says what does.
    """
    told = os.environ
    for variable, engine in _ENGINES.items():
        if told.get(variable, "false").lower() == "true":
            raise UsageError(
                f"{engine} divides the weights among processes, which methods that look at them do not know of; it is "
                "not supported. Several processes with a whole model each are: `torchrun --nproc_per_node N`; where "
                "one does not fit, --lora with --dtype bfloat16, --gradient-checkpointing and --accumulate."
            )
    for variable, (off, what, instead) in _ELSEWHERE.items():
        if told.get(variable, off).lower() not in (off, ""):
            raise UsageError(f"accelerate was told to use {what}, which is not read here. Say instead: {instead}.")
    if "MASTER_ADDR" in told and "WORLD_SIZE" not in told and told.get("ACCELERATE_USE_CPU", "").lower() == "true":
        raise UsageError(
            "accelerate was asked for several processes and started one: with --cpu it takes MPI for more. Start them "
            "with `torchrun --nproc_per_node N -m reference_impls run ...`, or with accelerate's --multi_gpu --use_cpu."
        )


def launched() -> int:
    """How many processes were started to train together; 1 for one that was started alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that tells people, measures and writes."""
    return launched() == 1 or os.environ.get("RANK", "0") == "0"


@contextmanager
def together() -> Iterator[None]:
    """While this lasts, the processes that were started are one run; before and after, each is alone."""
    if launched() == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def take_device() -> None:
    """Let this process compute on an accelerator of its own, where there are some."""
    if launched() > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def world() -> int:
    """How many processes train together now."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def summed(values: Tensor) -> Tensor:
    """In place: the sum over all processes, which all must call it with tensors of one shape."""
    dist.all_reduce(values)
    return values


def from_first(values: Tensor) -> Tensor:
    """What the first process has, whatever its shape; of integers, as generated tokens are."""
    shape = torch.tensor(values.shape, device=values.device)
    dist.broadcast(shape, 0)
    told = values.contiguous() if rank() == 0 else values.new_empty(shape.tolist())
    dist.broadcast(told, 0)
    return told


def averaged(gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The mean over all processes of each gradient; the same tensors where there is one process."""
    if world() == 1:
        return tuple(gradients)
    return tuple(summed(gradient.contiguous()).div_(world()) for gradient in gradients)


def average_gradients(weights: Sequence[Tensor]) -> None:
    """Let the weights' gradients be their mean over all processes; what has none in any process keeps none."""
    if world() == 1 or not weights:
        return
    there = summed(
        torch.tensor([weight.grad is not None for weight in weights], device=weights[0].device, dtype=torch.int32)
    )
    for weight, processes in zip(weights, there.tolist(), strict=True):
        if processes:
            (weight.grad,) = averaged([torch.zeros_like(weight) if weight.grad is None else weight.grad])


def agree(value: int, device: Any) -> bool:
    """Whether all processes have the same number."""
    if world() == 1:
        return True
    all_of_them = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(world())]
    dist.all_gather(all_of_them, torch.tensor([value], device=device))
    return len({int(number) for number in all_of_them}) == 1
