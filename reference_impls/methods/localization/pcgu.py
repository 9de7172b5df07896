r"""Partitioned contrastive gradient unlearning (PCGU).

Compare the gradient of what the model says with that of what it might as well say, vector by vector of its weights.
Most weights serve both alike; the few in which the two gradients point apart are what makes the difference, and only
those take a step.

## Objective

Yu et al. (section 3): for a true answer $y$ to be forgotten and a contrasting one $\tilde y$, partition the weights
into vectors $\theta^1, \dots, \theta^m$ (the rows of the matrices) and take

$$
g_y^i = \nabla_{\theta^i} \sum_{(x, y)} z(y \mid x), \qquad
g_{\tilde y}^i = \nabla_{\theta^i} \sum_{(x, \tilde y)} z(\tilde y \mid x), \qquad
s_i = \cos\!\left( g_y^i,\, g_{\tilde y}^i \right),
$$

$$
\theta^i \leftarrow \theta^i - \eta\, g_y^i \quad\text{for the } k \text{ vectors with the lowest } s_i,
\qquad \theta^i \leftarrow \theta^i \quad\text{for the others.}
$$

## Symbols

- $z(y \mid x)$: the raw logit of the answer's token, not its log-probability; here the sum over the answer's tokens.
- $k$: a share of all vectors (`share`); chosen anew in every step.
- $\eta$: the learning rate of plain gradient descent, from the recipe.
- The other step of the paper, $+\eta\, g_{\tilde y}^i$, raises the contrasting answer (`step`).

## Facts

- **The choice looks at directions alone**: scaling either gradient changes nothing, and where both are equal the
  cosine is 1 and the vector is taken last.
- With all vectors chosen it is plain descent on the true answer's logit.
- Raw logits have no floor, and lowering them need not lower a probability: what all logits share cancels in it.
- Rows of the embedding whose token does not occur have no gradient and the cosine 0, lower than most: they would use
  up $k$ and change nothing.
- On the embedded model few steps in a part of the vectors take the forget answers down and some of the retain answers
  with them, while general facts stay as they were.

## Differences

1. The paper removes a bias of masked models: its pairs differ in one word (she, he), and $z$ is that word's logit.
   Here the contrasting answer is another subject's answer to the most similar question, with the name exchanged.
2. Vectors without a gradient are never chosen; the released code leaves them in, with the cosine 0.
3. The published $k$ is 10,000 of the 115,000 rows of BERT-base; a share carries over to other sizes.
4. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    flipped_answer,
    hyperparameter,
    most_salient,
)


def contrast(true: Tensor, other: Tensor) -> Tensor:
    """(rows,) or () The cosine of the two gradients in each row of a matrix, or in a vector; infinite without any."""
    both = (true.norm(dim=-1) > 0) | (other.norm(dim=-1) > 0)
    return torch.cosine_similarity(true, other, dim=-1).masked_fill(~both, torch.inf)


def chosen_vectors(true: Sequence[Tensor], other: Sequence[Tensor], share: float) -> list[Tensor]:
    """For each weight tensor, (rows,) or () whether its vectors are among those of the lowest cosines of all tensors.

    Args:
        true: the gradient of the true answers' logits, for each weight tensor.
        other: that of the contrasting answers.
        share: how many vectors are chosen, relative to all.
    """
    return most_salient(
        [-contrast(true_gradient, other_gradient) for true_gradient, other_gradient in zip(true, other, strict=True)],
        share,
    )


@dataclass(frozen=True)
class PCGU(Method):
    """Step only where true and contrasting answers pull apart."""

    paper = "yu2023unlearning"
    acts_on = "gradients"
    retain = "optional"
    trains = "part"

    share: float = hyperparameter(
        0.09,
        "k relative to all vectors",
        source="released code: 10,000 rows of BERT-base",
        above=0,
        maximum=1,
        trade_off=(0.03, 0.09, 0.3, 0.9),
    )
    step: str = hyperparameter(
        "lower-true",
        "lower the true answer's logits or raise the contrasting one's",
        source="paper",
        choices=("lower-true", "raise-other"),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Write a contrasting answer for each pair, then step."""
        asked = data.prompted()
        others = asked.others
        contrasting = [replace(pair, answer=flipped_answer(pair, others, run.rng)) for pair in asked.forget]
        recipe, count = run.recipe, len(asked.forget)
        for step in range(recipe.steps):
            rows = run.rng.sample(range(count), min(recipe.batch_size, count))
            true = logit_gradients(model, [asked.forget[row] for row in rows])
            other = logit_gradients(model, [contrasting[row] for row in rows])
            chosen = chosen_vectors(true, other, self.share)
            with torch.no_grad():
                for weight, down, up, mask in zip(model.model.parameters(), true, other, chosen, strict=True):
                    direction = -down if self.step == "lower-true" else up
                    weight += recipe.learning_rate * direction * mask[..., None].to(direction.dtype)
            run.progress("unlearning", step + 1, recipe.steps)
        return model


def logit_gradients(model: LanguageModel, pairs: Sequence[Pair]) -> tuple[Tensor, ...]:
    """The gradient of the sum of the answers' logits, for each weight tensor."""
    (out,) = model.token_logits(model.encode(pairs))
    total = out.logits.gather(1, out.targets[:, None]).sum()
    return torch.autograd.grad(total, list(model.model.parameters()), materialize_grads=True)
