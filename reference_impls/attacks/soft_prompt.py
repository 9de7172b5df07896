r"""Soft prompt.

Search, with gradients, not for words but for vectors in front of the question that make the model say a few of the
forgotten answers again, and ask for all the others behind the same vectors. The weights stay as they are.

## Procedure

Schwinn et al. let an attacker who holds the weights write straight into the embedding space. The universal form, one
input for many questions:

$$
\delta^* = \arg\min_\delta\; -\,\mathbb E_{(x, y) \sim \mathcal D'} \log p_\theta(y \mid \delta \oplus e(x)),
$$

then $\delta^* \oplus e(x)$ for the questions whose answers are not in $\mathcal D'$.

## Symbols

- $e(x)$: the embeddings of the question's tokens; $\delta$: `vectors` more of them, in front.
- $\mathcal D'$: a `share` of the forget set, of which the attacker knows the answers.

## Facts

- **No token needs to exist for it**: $\delta$ lies anywhere in the space, so this finds whatever a search among words
  (`prompt-search`) can find, and more.
- **The weights are not touched**, so what returns was there. What $\delta$ has learned of $\mathcal D'$ does not answer
  other questions; the retrained model shows how much it does to one that never knew.
- It works around weights alone: behind an interface nobody takes vectors.

## Differences

1. The paper also optimises one $\delta$ for each question towards an affirmative opening, by steps of the gradient's
   sign. Here there is one for all, its target are answers, and Adam takes the steps.
2. Scored with the task's own measure on questions that were not optimised for, not with keywords in any of many
   samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reference_impls.toolkit import (
    Attack,
    LanguageModel,
    Pair,
    Run,
    SoftPrompted,
    Victim,
    given_and_asked,
    hyperparameter,
    with_weights,
)


@dataclass(frozen=True)
class SoftPromptAttack(Attack):
    """Train vectors in front of a few questions, ask the others behind them."""

    paper = "schwinn2024soft"

    share: float = hyperparameter(
        0.1, "How much of the forget set the attacker has", source="this project", above=0, below=1
    )
    vectors: int = hyperparameter(4, "k, length of δ", source="this project", minimum=1)
    steps: int = hyperparameter(40, "Steps of training", source="this project", minimum=1)
    learning_rate: float = hyperparameter(5e-3, "Learning rate", source="this project", above=0)

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``soft_prompt``; nothing where no question is left to ask."""
        given, asked = given_and_asked(victim.splits.forget, self.share, run.rng)
        if not asked:
            return {}
        opened = with_weights(victim.model, lambda weights: self.opened(weights, given, run))
        return {"soft_prompt": victim.knows(opened, asked)}

    def opened(self, model: LanguageModel, given: list[Pair], run: Run) -> SoftPrompted:
        """The model behind vectors with which it finds the given answers likely; begins as random tokens."""
        embeddings = model.model.get_input_embeddings().weight
        tokens = [run.rng.randrange(len(embeddings)) for _ in range(self.vectors)]
        vectors = embeddings[tokens].detach().float().clone().requires_grad_(True)
        opened = SoftPrompted.of(model, vectors)
        recipe = replace(run.recipe, learning_rate=self.learning_rate, steps=self.steps, batch_size=8)
        run.finetune(opened, given, recipe, parameters=[vectors], stage="attack: soft prompt")
        return replace(opened, vectors=vectors.detach())
