"""What methods and attacks need inside a model, asked of the model: of its skeleton, before any weight is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from reference_impls.errors import UnsupportedModelError
from reference_impls.toolkit import architecture, experts

Part = Literal["blocks", "feed-forward", "memories", "attention", "experts"]
"""*blocks*: a list of transformer blocks. *feed-forward*: in each of them weights that write an MLP's output, experts'
included. *memories*: in each of them one MLP whose output projection every token goes through. *attention*:
blocks whose attention keeps the factor on its scores where it can be changed. *experts*: blocks in which a router sends
each token to a few of several."""


def check(name: str, parts: Iterable[Part], model: Any) -> None:
    """Look whether a model has all that is needed.

    Args:
        name: of what needs it.
        parts: what that is.
        model: a network; its weights need not hold numbers.

    Raises:
        UnsupportedModelError: one line that says what is missing.
    """
    for part in parts:
        try:
            _CHECKS[part](model)
        except UnsupportedModelError as error:
            raise UnsupportedModelError(
                f"{name} does not run on {type(model).__name__}: {error}. `unlearn list` shows methods that change the "
                "loss, the data or the prompt; those need nothing of this."
            ) from None


_CHECKS: dict[Part, Callable[[Any], object]] = {
    "blocks": architecture.blocks,
    "feed-forward": lambda model: architecture.down_projections(model, range(architecture.layers(model))),
    "memories": lambda model: architecture.mlp_outputs(model, range(architecture.layers(model))),
    "attention": lambda model: architecture.attentions(model, range(architecture.layers(model))),
    "experts": experts.mixtures,
}
