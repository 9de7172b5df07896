r"""Relearning.

Fine-tune the unlearned model for a few steps on a little of what it forgot, or on harmless data that is only related,
and ask about *the rest*. If answers that were not in that data come back, they had been hidden and not removed.

## Procedure

Hu et al. (section 3): from the unlearned weights $\theta_u$, a few steps on a small set $\mathcal D'$,

$$
\theta' = \arg\min_\theta\; -\,\mathbb E_{(x, y) \sim \mathcal D'} \log p_\theta(y \mid x),
\qquad \theta_0 = \theta_u,
$$

then the questions whose answers are not in $\mathcal D'$. Two sets are tried: a random `share` of the forget set, with
the rest of it asked about, and as many pairs of the retain set, with all of the forget set asked about. Where the
forget set holds whole texts, which answer the questions about them, the share is one of subjects: a text is given with
all of its questions.

## Symbols

- $\theta_u$: the weights after unlearning; a prompt or filter around them stays in place.
- $\mathcal D'$: what the attacker has.

## Facts

- **Only the distance to the retrained model counts.** It never knew the answers, so what it gains under the same attack
  is guessing and format, not memory.
- No question that is asked is in $\mathcal D'$. Where answers come from a small pool, as in `hazards`, they may recur.
- A model that was destroyed relearns little: look at its utility before calling it robust.

## Differences

1. The paper trains adapters on 1B to 8B models; here all weights train, which is the stronger attack at this size.
2. The paper scores with keywords and a judge; here the measure is the task's own, the same before and after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reference_impls.toolkit import Attack, Pair, Run, Victim, given_and_asked, hyperparameter, with_weights


@dataclass(frozen=True)
class RelearningAttack(Attack):
    """Fine-tune on a little, ask about the rest."""

    paper = "hu2024unlearning"

    share: float = hyperparameter(
        0.1, "How much of the forget set the attacker has", source="this project", above=0, below=1
    )
    steps: int = hyperparameter(20, "Steps of fine-tuning", source="paper: 15 to 60 on TOFU", minimum=1)
    learning_rate: float = hyperparameter(5e-4, "Learning rate", source="this project", above=0)

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``relearning`` from a share of the forget set, ``related_relearning`` from as many retain pairs."""
        given, asked = given_and_asked(victim.splits.forget, self.share, run.rng)
        if not asked:
            return {}
        metrics = {"relearning": self._relearned(victim, given, asked, run)}
        if victim.splits.retain:
            chosen = run.rng.sample(victim.splits.retain, min(len(given), len(victim.splits.retain)))
            metrics["related_relearning"] = self._relearned(victim, chosen, victim.splits.forget, run)
        return metrics

    def _relearned(self, victim: Victim, given: list[Pair], asked: list[Pair] | tuple[Pair, ...], run: Run) -> float:
        recipe = replace(run.recipe, learning_rate=self.learning_rate, steps=self.steps, batch_size=8)
        trained = with_weights(
            victim.model, lambda weights: run.finetune(weights, given, recipe, stage="attack: relearning")
        )
        return victim.knows(trained, asked)
