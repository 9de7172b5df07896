r"""Sign-consensual merging of forget vectors (NegMerge).

How a model is fine-tuned on the forget set decides what its task vector takes away, and choosing among many trainings
means evaluating each of them. Here all of them count: of each weight's change only that is subtracted on whose
direction every training agrees.

## Objective

Kim et al., for $n$ trainings that differ in their hyper-parameters:

$$
\tau_k = \theta_{\mathrm{ft}}^{(k)} - \theta_0, \qquad
m_p = \mathbf 1\left[ \mathrm{sgn}\, \tau_{1,p} = \dots = \mathrm{sgn}\, \tau_{n,p} \ne 0 \right], \qquad
\theta = \theta_0 - \lambda\, \frac1n \sum_{k=1}^n m \odot \tau_k .
$$

## Symbols

- $\theta_0$: the weights before unlearning; $\theta_{\mathrm{ft}}^{(k)}$: fine-tuned further on the forget set, each
  time from $\theta_0$.
- $m$: which of the weights all $n$ trainings (`trainings`) move in the same direction.
- The $k$-th training has a learning rate of its own, from the recipe's divided by $s$ to the recipe's times $s$
  (`spread`), in equal ratios, and its own order of the examples.
- $\lambda$ (`scale`): how far to walk back.

## Facts

- **With one training it is `task-vector`**, and so it is where all trainings give the same vector.
- The order of the trainings does not matter, and one that goes the other way everywhere leaves $\theta_0$.
- **Another training can only take weights away** from those that move. Were all directions drawn by lot, a share of
  $2^{1-n}$ would be left; what is left beyond that is what the forget set asks for, however one trains.
- **The merged vector is shorter than the mean**: they are to be compared where both have forgotten equally, not at
  one $\lambda$.
- `spunge` merges by signs, too, and does not ask for all of them: its majority decides, and the mean is over those
  that agree. Its vectors come from different data, these from the same.
- $\lambda$ is searched for one vector, where a choice among $n$ would be $n$ searches.
- Time is $n$ fine-tunings. One fine-tuned model exists at a time, besides a running sum and running signs.

## Differences

1. The paper forgets classes of CLIP and of image classifiers; it has no language model.
2. It merges from 10 to 30 models, from what a search for hyper-parameters had trained anyway; here few are trained
   for this, and what varies is the learning rate.
3. $\lambda$ is chosen by the task's recipe, as for all methods.
4. As in `task-vector`, the model knows the forget set already and is fine-tuned on it once more.
5. The authors' code was not to be had; the equations were read in others' accounts of the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    subtract_task_vector,
    task_vector,
    unanimous_mean,
)


def spread_out(middle: float, spread: float, count: int) -> list[float]:
    """``count`` numbers in equal ratios from ``middle / spread`` to ``middle * spread``; one alone is the middle."""
    return [middle * spread ** (2 * row / (count - 1) - 1) if count > 1 else middle for row in range(count)]


@dataclass(frozen=True)
class NegMerge(Method):
    r"""Fine-tune several times, and subtract $\lambda$ times the mean change of the weights whose signs agree."""

    paper = "kim2024negmerge"
    acts_on = "weights"
    retain = "unused"
    copies = 1

    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="as in task-vector", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    trainings: int = hyperparameter(5, "n, how many trainings have to agree", source="ours; paper: 10 to 30", minimum=1)
    spread: float = hyperparameter(
        2.0,
        "s, by how much the highest and the lowest learning rate differ from the recipe's",
        source="ours",
        minimum=1,
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Learn the forget set in several ways, each from the same start, then walk back where all of them went."""
        subtract_task_vector(model.model, unanimous_mean(self._vectors(model, data, run)), self.scale)
        return model

    def _vectors(self, model: LanguageModel, data: UnlearningData, run: Run) -> Iterator[Iterator[Tensor]]:
        """What each training changes; it is to be read before the next one begins."""
        tuned = model.copy()
        for row, rate in enumerate(spread_out(run.recipe.learning_rate, self.spread, self.trainings)):
            tuned.model.load_state_dict(model.model.state_dict())
            apart = run.apart(run.seed * self.trainings + row)
            apart.finetune(tuned, data.forget, replace(run.recipe, learning_rate=rate))
            yield task_vector(model.model, tuned.model)
