r"""LoRA-based unlearning with negative examples (LUNE).

A low-rank adapter is trained on negative examples and on nothing else: the questions to forget with answers that
contradict the true one, or that give none. The weights under it stay, so that an edit cannot be larger than the
adapter lets it be.

## Objective

Liu et al.: with the weights $W_0$ before unlearning, for every matrix,

$$
\min_{A, B}\ \mathbb E_{x \sim \mathcal D_f}\, \mathbb E_{\tilde y \in N(x)} L\big((x, \tilde y);\, \theta\big),
\qquad
W = W_0 + \frac{\alpha}{r} B A .
$$

## Symbols

- $L$: the mean negative log-likelihood of an answer.
- $N(x)$: the negative examples to a question, `count` of them (`negatives`): `contradictions`, false answers of the
  same kind, or `refusals`, which say that one does not know.
- $A \in \mathbb R^{r \times \mathrm{in}}$, $B \in \mathbb R^{\mathrm{out} \times r}$: the adapter, of rank $r$
  (`rank`); $\alpha$ (`alpha`) scales it. $B$ is 0 at the start.

## Facts

- **Bounded below, and no ascent**: the true answer is in no loss. It becomes unlikely as far as another takes its
  place.
- **The change of every matrix has rank $r$ at most**, so $r (\mathrm{in} + \mathrm{out})$ numbers are learned in place
  of $\mathrm{in} \cdot \mathrm{out}$: for 128 times 128 and rank 8 that is 2,048 of 16,384.
- **Nothing holds the rest but the rank.** There is no retain set, and what all questions have in common drifts along
  with what is taught.
- With refusals it is `knowledge-sanitization` without its share of right answers; without the adapter, and with a
  choice among the false answers, it is `meow`.

## Differences

1. The paper has negative examples written for each fact. Here they are the task's invented answers, or, where it has
   none, answers to other questions of the forget set with the subject's name put in; or refusals from a fixed list.
2. The adapter is on every linear layer of the blocks, and merged into the weights afterwards. Rank, scaling and the
   number of negative examples are ours.
3. Of a plain text the beginning, up to the first mention of its subject, is the question.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    with_refusals,
)


def negative_examples(data: UnlearningData, negatives: str, count: int, rng: random.Random) -> list[Pair]:
    """Every question to forget with each of its negative answers.

    Raises:
        UsageError: contradictions are wanted, and all answers are the same.
    """
    forget = data.prompted().forget
    answers: Iterable[tuple[str, ...]]
    if negatives == "refusals":
        answers = (pair.alternates for pair in with_refusals(data, rng, count).forget)
    else:
        answers = (false_answers(pair, forget, count, rng) for pair in forget)
    return [replace(pair, answer=answer) for pair, told in zip(forget, answers, strict=True) for answer in told]


@dataclass(frozen=True)
class LUNE(Method):
    """Fine-tune an adapter on negative examples."""

    paper = "liu2025lune"
    acts_on = "data"
    retain = "unused"
    trains = "adapters"

    negatives: str = hyperparameter(
        "contradictions",
        "what negative examples are",
        source="paper, introduction",
        choices=("contradictions", "refusals"),
    )
    count: int = hyperparameter(3, "negative examples to each question", source="ours", minimum=1, maximum=40)
    rank: int = hyperparameter(8, "r, rank of the adapter", source="ours", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of the adapter", source="ours", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Collect the examples, fine-tune the adapter, merge it."""
        examples = negative_examples(data, self.negatives, self.count, run.rng)
        return run.finetune_lora(model, examples, self.rank, self.alpha, stage="negative examples")
