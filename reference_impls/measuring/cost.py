"""What a run cost, and with which versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from catalog import __version__

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Passes:
    """How many sequences went through a model of some architecture; padding and batches do not count."""

    forward: int = 0
    backward: int = 0
    counting: bool = True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count for a while, as when the model is only looked at."""
        self.counting = False
        try:
            yield
        finally:
            self.counting = True


@contextmanager
def count_passes(model: Any) -> Iterator[Passes]:
    """Count what goes through ``model`` and all copies of it, such as reference models, while the context is open.

    A step of decoding is a forward pass, and so is one evaluation of a sequence by a frozen model. A backward pass is
    one that walks any part of a sequence's graph inside the model, however early the loss reads its states: from there
    it goes through all layers below. One walk counts a sequence once; a graph that is walked again counts again.

    Args:
        model: a ``transformers`` causal language model; what is counted are calls of its backbone's class.
    """
    from torch.autograd.graph import register_multi_grad_hook
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    from reference_impls.toolkit.architecture import backbone

    passes = Passes()
    counted = type(backbone(model))
    underway: list[list[Tensor]] = []
    """Of each call of a backbone that has not returned, what its modules gave so far that has a graph behind it."""

    def before(module: Any, given: Any) -> None:
        if type(module) is counted:
            underway.append([])

    def after(module: Any, given: Any, output: Any) -> None:
        if not underway:  # the head, or a checkpointed block that is computed again on the way back
            return
        underway[-1].extend(_with_graph(output))
        if type(module) is not counted:
            return
        walked = underway.pop()
        if output is None or not passes.counting:  # it has failed, or is only looked at
            return
        sequences = len(output[0])
        passes.forward += sequences
        if walked:
            register_multi_grad_hook(walked, lambda gradient: on_backward(sequences), mode="any")

    def on_backward(sequences: int) -> None:
        passes.backward += sequences

    handles = register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


def _with_graph(output: Any) -> list[Tensor]:
    """The tensors that a module gave through which gradients flow."""
    from torch import Tensor

    parts = output if isinstance(output, tuple | list) else (output,)
    return [part for part in parts if isinstance(part, Tensor) and part.requires_grad]


def peak_memory_bytes() -> int:
    """The most memory that was in use: of the accelerator if anything was there, else of this process since it started.

    Zero on Windows, which has no such count in the standard library.
    """
    import torch

    if torch.cuda.is_available() and (peak_there := torch.cuda.max_memory_allocated()):
        return int(peak_there)
    if sys.platform == "win32":
        return 0
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


def versions() -> dict[str, str]:
    """Versions of what decides a number, and the accelerator, if there is one."""
    import torch

    # Of the project itself from its code: it may run from its folder, and a record is not lost for that.
    own = {"python": platform.python_version(), "llm-unlearning": __version__}
    found = own | {name: version(name) for name in ("torch", "transformers", "accelerate", "peft", "tokenizers")}
    return found | ({"device": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def one_thread() -> None:
    """Compute on one core, so that the embedded model's numbers do not depend on how many there are."""
    import torch

    torch.set_num_threads(1)
