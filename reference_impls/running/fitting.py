"""Whether a method can be trained as was asked for, said in a line before anything is loaded for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_impls.errors import UsageError
from reference_impls.scaling import Scaling

if TYPE_CHECKING:
    from reference_impls.toolkit import Method

ADAPTERS_FASTER = 10
"""How many times the learning rate of all weights suits adapters (Schulman et al., LoRA Without Regret, 2025)."""

_OTHERS = "`unlearn list` shows methods that change the loss; most of those do."


def check_method(method: Method, name: str, scaling: Scaling, requests: int) -> None:
    """Look whether a method can be trained so; it is asked what it trains, and how.

    Args:
        method: the method.
        name: how people call it.
        scaling: what was asked for.
        requests: in how many requests it is to forget.

    Raises:
        UsageError: it cannot.
    """
    if scaling.lora and (why := _why_no_adapters(method)):
        raise UsageError(f"{name} does not train with --lora: {why}. {_OTHERS}")
    if method.trains == "nothing":
        for option, asked in (
            ("--accumulate", scaling.accumulate != 1),
            ("--gradient-checkpointing", scaling.gradient_checkpointing),
            ("--checkpoint-every", scaling.checkpoint_every is not None),
        ):
            if asked:
                raise UsageError(f"{name} trains no weights, so {option} has nothing to act on; leave it out.")
    if scaling.checkpoint_every is not None and method.remembers:
        raise UsageError(
            f"{name} keeps more between its steps than a checkpoint holds, or may do so: it could not go on as if "
            "nothing had happened. Leave --checkpoint-every out."
        )
    if scaling.checkpoint_every is not None and requests > 1:
        raise UsageError("--checkpoint-every does not go with --requests: what earlier requests left is not kept.")


def _why_no_adapters(method: Method) -> str:
    """Why adapters cannot stand in the place of the weights that a method trains; empty if they can."""
    if method.trains == "nothing":
        return "it trains no weights"
    if method.trains == "adapters":
        return "it trains modules of its own beside the weights"
    if method.trains == "part":
        return "it chooses itself which of the model's weights move"
    if method.acts_on == "weights" or method.weighs_weights:
        return "its rule is about the model's own weights, and with others in their place it would be another method"
    return ""


def check_network(network: Any, scaling: Scaling) -> None:
    """Look whether a model can be trained so.

    Args:
        network: its weights need not hold numbers.
        scaling: what was asked for.

    Raises:
        UsageError: it cannot; says why.
    """
    from reference_impls.toolkit.adapters import check_targets
    from reference_impls.toolkit.language_model import check_recomputing

    if scaling.lora:
        check_targets(scaling.lora.targets, network)
    if scaling.gradient_checkpointing:
        check_recomputing(network)


def told(scaling: Scaling, trainings: int, processes: int) -> tuple[str, ...]:
    """What has to be said of how a model was trained.

    Args:
        scaling: what was asked for.
        trainings: how often the loop was gone through.
        processes: how many processes trained.
    """
    notes = [] if processes == 1 else [f"{processes} processes trained it together."]
    if not trainings and (scaling.accumulate != 1 or scaling.gradient_checkpointing or processes > 1):
        notes.append(
            "The method steps in its own way: --accumulate, --gradient-checkpointing and further processes did nothing."
        )
    return tuple(notes)
