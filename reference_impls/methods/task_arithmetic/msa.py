r"""Model state arithmetic (MSA).

A model that knows the forget set by heart has nothing left to learn from it, so that what another training changes is a
poor measure of what the data once did. An earlier checkpoint of the same model still has it all to learn: measure the
change there, and take it off the model as it is now.

## Objective

Rezaei et al., with a checkpoint $\theta_0$ from before the model met the forget set:

$$
\theta = \theta_D - \alpha\, (\theta_f - \theta_0) + \beta\, (\theta_r - \theta_0), \qquad
\theta_f = \mathrm{train}(\theta_0, \mathcal D_f), \quad \theta_r = \mathrm{train}(\theta_0, \mathcal D_r) .
$$

## Symbols

- $\theta_D$: the model that is to forget; $\theta_0$: what it was before, a base that it was fine-tuned from, or any
  checkpoint on the way that had not met the forget set yet.
- $\theta_f - \theta_0$: the *forget vector*; $\theta_r - \theta_0$: the *retain vector*.
- $\alpha$ (`scale`), $\beta$ (`retain_weight`): how much of each counts. $\beta = 0$ does without a retain set.

## Facts

- **With $\theta_0 = \theta_D$ and $\beta = 0$ it is `task-vector`**: what is new is where the direction is
  measured.
- $\alpha = \beta = 0$ changes nothing, and the result is linear in both.
- **Without an earlier checkpoint it cannot run**, and says so. `authors` ships one, and of a larger model that learns
  `authors` it is the model as it comes; for another, `--earlier` names it. The later it is, the nearer its directions
  are to the model's own; it must not have met the forget set.
- **The direction is what is better, not its length.** On `authors`, with as much forgetting as the retrained model has
  (0.45 of the forget answers' probability), retain answers keep 0.93 with the base as $\theta_0$ and 0.82 with
  $\theta_0 = \theta_D$, at learning rates of 0.0001 and 0.0002 and with $\beta = 0$; before it was 0.98.
- $\alpha$ is near 1 where the earlier checkpoint has learned the forget set about as well as the model knows it (1.2
  there, at 0.0002), and larger where it has learned less.
- **The retain vector helps a little, then hurts**: it moves to what a short training on the retain set makes of
  $\theta_0$, and $\theta_D$ knows that set better already. On `authors` $\beta = 0.25$ gains up to 0.006 of the retain
  answers, and $\beta = 1$ loses up to 0.06.
- Time is two fine-tunings (one with $\beta = 0$); memory two further models.

## Differences

1. Both fine-tunings take as many steps as the recipe says; the paper tunes the epochs of each.
2. The retain vector is of the whole retain set, as in the released script; the recipe's steps decide how much of it is
   met.
3. The released code subtracts in 16 bits; here in 32.
4. $\alpha$ is chosen by the task's recipe; the script tries 1, 1.5 and 2, with $\beta = 1$.
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
class MSA(Method):
    r"""Subtract $\alpha$ times what the forget set changes in an earlier checkpoint, add $\beta$ of the retain set."""

    paper = "rezaei2025model"
    acts_on = "weights"
    retain = "optional"
    copies = 2
    earlier = "needed"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "source": "released code, Llama-3.2-1B",
    }

    scale: float = hyperparameter(
        1.0, "α, how much of the forget vector is taken away", source="code", minimum=0, trade_off=(0.5, 1.0, 1.5, 2.0)
    )
    retain_weight: float = hyperparameter(1.0, "β, how much of the retain vector is added", source="code", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train what the model was before on each set, and move the model by what that changed."""
        earlier = run.earlier_than(model)
        tuned = earlier.copy()
        for pairs, scale in ((data.forget, self.scale), (data.retain, -self.retain_weight)):
            if pairs and scale:
                tuned.model.load_state_dict(earlier.model.state_dict())
                run.finetune(tuned, pairs)
                subtract_task_vector(model.model, task_vector(earlier.model, tuned.model), scale)
        return model
