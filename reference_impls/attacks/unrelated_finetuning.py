r"""Fine-tuning on unrelated texts.

Train the unlearned model for a few steps on a handful of texts that have nothing to do with what it forgot, and ask for
it. Nothing of the answers is taught; if they come back, they had been there.

## Procedure

Łucki et al.: from the unlearned weights $\theta_u$, a few steps on a few texts $\mathcal D'$ without
relation to the forget set,

$$
\theta' = \arg\min_\theta\; -\,\mathbb E_{(x, y) \sim \mathcal D'} \log p_\theta(y \mid x),
\qquad \theta_0 = \theta_u,
$$

then all questions of the forget set.

## Symbols

- $\theta_u$: the weights after unlearning; a prompt or filter around them stays in place.
- $\mathcal D'$: `texts` pairs of general knowledge, which the target, the retrained model and the base have all read.

## Facts

- What returns cannot have been learned from $\mathcal D'$, so here even a small gain means something. The retrained
  model shows what training on $\mathcal D'$ does to one that never knew.
- Against `relearning` it says what the attacker needs: no knowledge of the forgotten subject at all.

## Differences

1. The paper trains adapters on models of billions; here all weights train, for as many steps as in `relearning`, so
   that the two can be set side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reference_impls.toolkit import Attack, Run, Victim, hyperparameter, with_weights


@dataclass(frozen=True)
class UnrelatedFinetuningAttack(Attack):
    """Fine-tune on a few texts of general knowledge, ask about the forget set."""

    paper = "lucki2024adversarial"

    texts: int = hyperparameter(10, "How many unrelated texts", source="paper, abstract", minimum=1)
    steps: int = hyperparameter(20, "Steps of fine-tuning", source="as relearning", minimum=1)
    learning_rate: float = hyperparameter(5e-4, "Learning rate", source="as relearning", above=0)

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``unrelated_finetuning``; nothing where a task has no general knowledge."""
        facts = victim.splits.facts
        if not facts:
            return {}
        chosen = run.rng.sample(facts, min(self.texts, len(facts)))
        recipe = replace(run.recipe, learning_rate=self.learning_rate, steps=self.steps, batch_size=8)
        trained = with_weights(
            victim.model, lambda weights: run.finetune(weights, chosen, recipe, stage="attack: unrelated fine-tuning")
        )
        return {"unrelated_finetuning": victim.knows(trained)}
