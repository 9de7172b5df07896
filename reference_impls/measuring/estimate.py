"""What a method would take on a model of which only the configuration is known: memory and work.

How often the weights take their place in memory follows from what a method declares (:mod:`catalog.model.needs`), what
a batch leaves for the backward pass is asked of the network without its weights, and the work follows from the passes
that were counted on the embedded model (:mod:`catalog.model.cost`). An estimate is good to about a third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.model.cost import BACKWARD
from catalog.model.needs import Needs
from reference_impls.scaling import Scaling

if TYPE_CHECKING:
    from reference_impls.toolkit import Recipe

KEPT_OF_WIDTH, KEPT_OF_WEIGHTS = 5.0, 1.5
"""What a block keeps of each token for the backward pass where its network cannot be asked, as a mixture of experts
cannot, in which the numbers decide what is computed: so many numbers for each of the stream, and for each weight that a
token goes through, over the width. A Llama's block of width h, with 4 h² + 3 h f weights, keeps 11 h + 5 f."""
REACHED = 0.4
"""The share of a large matrix product's speed that a training step reaches."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
"""How configurations call the number of experts."""
_WITHIN_EXPERTS = ".experts."
"""In the names of their weights."""


@dataclass(frozen=True)
class Size:
    """How large a network is, and what one sequence leaves in it."""

    parameters: int
    """All weights, those once that stand in two places."""
    active: int
    """Those that a token goes through: of a mixture's experts the few that it is sent to; no table of embeddings."""
    layers: int
    width: int
    tokens: int
    """Of the sequence."""
    kept: float
    """The numbers that stay in memory of it until the backward pass."""

    @classmethod
    def of(cls, network: Any, tokens: int) -> Size:
        """The size of a network on the ``meta`` device, whose weights hold no numbers."""
        config = network.config.get_text_config()
        layers, width = config.num_hidden_layers, config.hidden_size
        experts = next((n for name in _EXPERTS if (n := getattr(config, name, None))), 0)
        taken = (getattr(config, "num_experts_per_tok", None) or 1) / experts if experts else 1.0
        embeddings, head = network.get_input_embeddings().weight, network.get_output_embeddings()
        parameters, through = 0, 0.0
        for name, weight in network.named_parameters():
            parameters += weight.numel()
            through += weight.numel() * (taken if _WITHIN_EXPERTS in name else 1.0)
        blocks = through - embeddings.numel()
        tied = head is not None and (head.weight is embeddings or bool(getattr(config, "tie_word_embeddings", False)))
        if head is not None and not tied:
            blocks -= head.weight.numel()
        kept = _saved(network, tokens)
        if kept is None:
            kept = tokens * (layers * KEPT_OF_WIDTH * width + KEPT_OF_WEIGHTS * blocks / width)
        active = round(through) - (0 if tied else embeddings.numel())
        return cls(parameters, active, layers, width, tokens, kept)

    def kept_recomputed(self) -> float:
        """The same where of all blocks but one the inputs alone are kept."""
        return self.tokens * self.layers * self.width + self.kept / self.layers


def _saved(network: Any, tokens: int) -> float | None:
    """How many numbers autograd keeps of one sequence, asked of a network without numbers; None where it cannot be."""
    import inspect

    import torch

    weights = {weight.untyped_storage()._cdata for weight in network.parameters()}
    kept: dict[int, tuple[float, Any]] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = (storage.nbytes() / tensor.element_size(), storage)
        return tensor

    with torch.device("meta"):
        inputs = {"input_ids": torch.zeros(1, tokens, dtype=torch.long)}
        if "position_ids" in inspect.signature(network.base_model.forward).parameters:
            # What a model would make of its own numbers, which there are none of: nothing is padded.
            inputs |= {"position_ids": torch.arange(tokens)[None], "attention_mask": torch.zeros(1, 1, tokens, tokens)}
    was_training = network.training
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network.train().base_model(**inputs, use_cache=False)
    except (RuntimeError, NotImplementedError, ValueError, TypeError):
        return None
    finally:
        network.train(was_training)
    return sum(count for storage, (count, _) in kept.items() if storage not in weights)


@dataclass(frozen=True)
class Load:
    """What is to be done, and how."""

    bytes: int
    """Of a number: 4 in float32, 2 in bfloat16."""
    scaling: Scaling


@dataclass(frozen=True)
class Demand:
    """What one method takes on one model."""

    least: float
    """Bytes of memory: where a part of the weights trains, if it is a small one."""
    most: float
    """If it is nearly all of them."""
    operations: float | None
    """Multiplications and additions of the whole training; None where nothing is trained in steps."""


def estimate(needs: Needs, size: Size, load: Load, recipe: Recipe, work: float | None) -> Demand:
    """What a method takes.

    Args:
        needs: as the method declares them.
        size: of the model.
        load: what is to be done.
        recipe: how long it trains, and with which batches.
        work: how many times plain fine-tuning on as many examples (:func:`catalog.model.cost.work`).
    """
    adapters = load.scaling.lora is not None
    least, most = needs.bytes_per_weight(load.bytes, adapters=adapters)
    sides = 1 if needs.retain == "unused" else 2
    sequences = sides * -(-recipe.batch_size // load.scaling.accumulate)
    # What no gradient goes through keeps the numbers of one block at a time.
    whole = size.kept_recomputed() if load.scaling.gradient_checkpointing else size.kept
    kept = load.bytes * sequences * (whole if needs.trains != "nothing" else size.kept / size.layers)
    operations = None
    if work is not None:
        seen = recipe.steps * recipe.batch_size * size.tokens
        operations = 2 * size.active * (1 + BACKWARD) * work * seen
    return Demand(least * size.parameters + kept, most * size.parameters + kept, operations)


def speed(size: int, seconds: float = 0.3) -> float:
    """Operations in a second that a training step may reach on this machine, by the clock.

    Args:
        size: bytes of a number.
        seconds: how long it is looked at.
    """
    import time

    import torch

    accelerator = torch.cuda.is_available()
    width = 8192 if accelerator else 1024
    dtype = torch.bfloat16 if size == 2 else torch.float32
    matrix = torch.ones(width, width, dtype=dtype, device="cuda" if accelerator else "cpu")
    matrix @ matrix
    made, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        matrix @ matrix
        if accelerator:
            torch.cuda.synchronize()
        made += 1
    return REACHED * made * 2 * width**3 / (time.perf_counter() - started)


def room() -> int:
    """Bytes of memory that there are: the accelerator's, or else this machine's."""
    import psutil
    import torch

    return int(torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else psutil.virtual_memory().total)
