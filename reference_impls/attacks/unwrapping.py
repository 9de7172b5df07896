r"""Unwrapping.

Take away what a method put around the weights, and ask what is left. A prompt, a filter, a layer or an ensemble is gone
as soon as somebody has the weights; what was unlearned in there alone was never unlearned in them.

## Procedure

An unlearned model is the weights $\theta$ and what is around them, $m = g(\theta)$. Deeb and Roger ask whether
information was removed *from the weights*, by an attacker who has them; the first thing to try is to leave $g$ out:

$$
m' = \theta, \qquad \text{and the questions about what was to be forgotten again.}
$$

## Symbols

- $\theta$: for a prompt or a filter, the model behind it; for layers, the model without them; for an ensemble, the
  model that its members were made from, and none of them.
- $g$: everything else that a method returned.

## Facts

- Methods that act from outside leave the weights alone, so this gives back the model before unlearning, to the bit.
- Where the weights alone are the unlearned model there is nothing to take away, and no number.
- A model that answers through an interface cannot be unwrapped: the number is about published weights.

## Differences

1. The paper fine-tunes on facts that the attacker has, to see whether others come back (that is `relearning` here). For
   what is only around the weights so much is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import Attack, Run, Victim, bare


@dataclass(frozen=True)
class UnwrappingAttack(Attack):
    """Leave out what is around the weights."""

    paper = "deeb2024unlearning"

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``unwrapped``: what the weights alone know."""
        return {"unwrapped": victim.knows(bare(victim.model))}
