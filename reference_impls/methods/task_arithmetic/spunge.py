r"""Split, unlearn, merge (SPUNGE).

A forget set is a mixture. Split it by whom or what its examples are about, unlearn every part in a model of its own,
and merge what the models were changed by into one.

## Objective

Kadhe et al. (*split*, *unlearn*, *merge*), around any method of unlearning. Here every part is unlearned by negating
its task vector $\tau_i$, as `task-vector` does, and the vectors are merged by TIES (Yadav et al. 2023, arXiv
2306.01708: *trim*, *elect*, *disjoint mean*):

$$
\mathcal D_f = \bigcup_i \mathcal D_f^{(i)}, \qquad
\tau_i = \arg\min_\theta L(\mathcal D_f^{(i)}; \theta) - \theta_0, \qquad
\theta = \theta_0 - \lambda\, \bar\tau,
$$

$$
\hat\tau_i = \mathrm{top}_k(\tau_i), \qquad
s_p = \mathrm{sgn} \sum_i \hat\tau_{i,p}, \qquad
\bar\tau_p = \frac{1}{|A_p|} \sum_{i \in A_p} \hat\tau_{i,p}, \qquad
A_p = \{ i : \hat\tau_{i,p}\, s_p > 0 \} .
$$

## Symbols

- $\mathcal D_f^{(i)}$: the examples of some subjects; all examples of a subject are in one part, and there are
  `subsets` parts, or one for each subject if there are fewer subjects.
- $L$: the mean negative log-likelihood of answers; $\tau_i$: what fine-tuning on part $i$ changes, always from
  $\theta_0$.
- $\mathrm{top}_k$: the entries of largest size are kept, a share $k$ (`density`) of each vector, and all others are 0.
- $s_p$: the sign that weight $p$ is given; $A_p$: the parts that agree with it. Where there are none, $\bar\tau_p = 0$.
- $\lambda$ (`scale`): how far to walk back.

## Facts

- **With one part and $k = 1$ it is `task-vector`.**
- The order of the parts does not matter, and merging commutes with the sign: to merge negated vectors and to negate
  what was merged is the same.
- **A mean of those that agree, not of all.** A weight that one part alone needs moves as far as that part asks, where
  an average would divide by the number of parts; where two parts pull in opposite directions, the stronger one gets
  its way undiminished.
- No entry of $\bar\tau$ is larger than the largest of the same weight among the parts.
- Each part is a training of as many steps as the recipe says, on fewer examples: several parts see the forget set as
  many times more often. All fine-tuned models are in memory until they are merged.

## Differences

1. The paper names `rmu` and negated task vectors as methods to put it around; here the latter alone.
2. Its attributes are the group that a toxic text is about, or the field that knowledge is of; here the subject.
   Examples that name none are told apart by their prompts.
3. That the paper's own experiments merge by TIES could not be checked: what could be read of it leaves the merging
   open.
4. As in `task-vector`, the model knows the forget set already and is fine-tuned on it once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    shares_of_subjects,
    subtract_task_vector,
    ties,
)


@dataclass(frozen=True)
class SPUNGE(Method):
    r"""Fine-tune on every part of the forget set apart, merge the task vectors, subtract $\lambda\bar\tau$."""

    paper = "kadhe2024split"
    acts_on = "weights"
    retain = "unused"
    copies = 2

    scale: float = hyperparameter(
        1.0, "λ, how far to walk back", source="as in task-vector", minimum=0, trade_off=(0.5, 1.0, 2.0, 4.0)
    )
    subsets: int = hyperparameter(
        2, "how many parts the forget set is split into at most", source="paper, WMDP: biology and cyber", minimum=1
    )
    density: float = hyperparameter(
        0.2, "k, share of each task vector that is kept", source="TIES' default", above=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Learn each part from the same start, then walk back along what the parts agree on."""
        parts = shares_of_subjects(data.forget, self.subsets)
        seeds = range(run.seed * self.subsets, run.seed * self.subsets + len(parts))
        finetuned = [run.apart(seed).finetune(model.copy(), part) for seed, part in zip(seeds, parts, strict=True)]
        merged = ties(model.model, [tuned.model for tuned in finetuned], self.density)
        subtract_task_vector(model.model, merged, self.scale)
        return model
