r"""Negated task vector (Task vector).

Learn the forget set a second time, take the change of the weights as its direction, and walk the other way. No
objective pulls the model anywhere else: forgetting is subtraction.

## Objective

Ilharco et al. (section 2), with the model that knows the forget set as the start:

$$
\tau = \theta_{\mathrm{ft}} - \theta_0, \qquad \theta = \theta_0 - \lambda\, \tau .
$$

## Symbols

- $\theta_0$: the weights before unlearning; $\theta_{\mathrm{ft}}$: fine-tuned further on the forget set.
- $\tau$: the task vector, over all weights; $\lambda$ (`scale`): how far to walk back.

## Facts

- **Linear.** $\lambda = 0$ changes nothing, $\lambda = -1$ gives the fine-tuned model, negating twice restores.
- To first order the forget loss changes by $-\lambda\, \nabla L \cdot \tau$, and $\tau$ points down the loss: small
  $\lambda$ acts as gradient ascent along the path of training. Nothing bounds the damage of a large $\lambda$.
- `lora-negation` does the same with what a low-rank module learned.

## Differences

1. The paper starts from a pretrained model and fine-tunes on data of the undesired kind; here the model already knows
   the forget set, and is fine-tuned on it once more (the form that MUSE evaluates).
2. $\lambda$ is chosen by the task's recipe, as in the paper, which picks it on held-out data.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    subtract_task_vector,
    task_vector,
)


@dataclass(frozen=True)
class TaskVector(Method):
    r"""Subtract $\lambda\tau$ from the weights."""

    paper = "ilharco2022editing"
    acts_on = "weights"
    retain = "unused"
    copies = 1
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "released code of MUSE (arXiv 2407.06460), Llama-2-7B",
    }

    scale: float = hyperparameter(
        1.0,
        "λ, how far to walk back",
        source="MUSE's default; the paper tunes it",
        minimum=0,
        trade_off=(0.5, 1.0, 2.0, 4.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Fine-tune a copy on the forget set, then walk the other way."""
        finetuned = run.finetune(model.copy(), data.forget)
        subtract_task_vector(model.model, task_vector(model.model, finetuned.model), self.scale)
        return model
