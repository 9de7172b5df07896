r"""Bias unlearning (BiasUnlearn).

What is to go is a preference: the model finds one of two statements likelier where neither should be. BiasUnlearn
pushes the preferred one down and pulls the other up, and looks every now and then which is ahead. Once neither is, it
stops; where the balance has tipped over, the two change places.

## Objective

Liu et al., with the sets $S$ (stereotypes) and $A$ (anti-stereotypes):

$$
\mathcal L(\theta) = -\frac{2 w_s}{\beta}\, \mathbb E_{S'} \log \sigma\!\left( -\frac{\beta}{|y|} \log
\frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right)
- w_a\, \mathbb E_A\, \frac{1}{|y|} \log \pi_\theta(y \mid x)
+ w_k\, \mathbb E_{\mathcal D_r} \mathrm{KL}\big( \pi_{\mathrm{ref}} \,\|\, \pi_\theta \big), \qquad
S' = S \cup \text{a part of } A .
$$

The score is the share of comparisons in which $S$ is likelier than $A$. Within `band` of 1/2: stop. Below it: $S$ and
$A$ change places until the next look.

## Symbols

- **What stands for a stereotype here.** On facts $S$ is the true answer, $A$ false answers of the same shape: those
  that a task brings (`Pair.alternates`), or else other subjects' answers, renamed. So "unbiased" means that the truth
  is as likely as an invention, which is what a model does that never heard of it. Data of one's own on real
  stereotypes has the stereotype as `answer` and anti-stereotypes as `alternates`.
- $S'$: one question in four comes once more with one of its false answers to be pushed (`adversarial`), so that what
  lies against the truth does not get all of its place.
- $w_s$ (`forget_weight`), $w_a$ (`learn_weight`), $w_k$ (`kl_weight`); $\beta$ (`beta`).
- The score compares by the mean log-probability of a token, with false answers that training does not see: the last
  half of each question's.

## Facts

- **At 1/2 there is nothing to infer.** Pushed further a model tells the truth by what it avoids, which is what changing
  places prevents.
- At the start the first term is $\frac{2 w_s}{\beta} \log 2$, and the third has no gradient.
- **A set that is balanced already costs no step.**
- **On `authors` it ends where the retrained model is**: after 112 steps at a rate of 2e-4 the truth is preferred to
  wrong answers in 51% of cases (99% before, 44% retrained), the truth ratio is 0.77 (0.80 there), and forget quality
  $10^{-0.25}$ cannot tell the two apart. Going on for 200 steps without changing places takes the forget answers'
  probability from 0.04 to 0.002. Either is far below the 0.45 that is left after retraining: what is balanced is the
  truth against inventions, not against everything else, and `membership` sees it.
- Retain answers keep 0.85 of their probability. The divergence's weight is small.

## Differences

1. The paper writes the first term without $\frac{1}{|y|}$; the released code, for which its weights are, takes means
   over tokens. It takes the mean over the batch as well before the logarithm of $\sigma$; here each answer has its own.
   Sums would make this term as many times stronger than the second as an answer has tokens, and tear sentences apart.
   The code's third term is the cross-entropy, over padding too, whose gradient is the divergence's elsewhere.
2. It looks after 100 steps and then every 30 to 80; here once per pass over the forget set.
3. It scores four kinds of bias, aims at 49 or 48 of 100, and goes on with the worst kind alone, by 0.8 of the rate once
   that is near. Facts have no kinds.
4. It trains adapters; here all weights. The recipe's number of steps is the most that is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    mean_kl,
    mean_nll,
    npo_loss,
)


def preferred(model: LanguageModel, pairs: Sequence[Pair]) -> float:
    """The share of comparisons in which an answer has a likelier mean token than an alternate; half of it for ties."""
    others = [replace(pair, answer=other) for pair in pairs for other in pair.alternates]
    own = [float(one.mean()) for one in model.pair_logprobs(pairs)]
    rival = [float(one.mean()) for one in model.pair_logprobs(others)]
    each = torch.tensor([value for value, pair in zip(own, pairs, strict=True) for _ in pair.alternates])
    return float(((each - torch.tensor(rival)).sign() + 1).mean() / 2)


@dataclass(frozen=True)
class BiasUnlearn(Method):
    """Push one answer, pull the other, and let them change places where the balance tips over."""

    paper = "liu2025mitigatinga"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    stops_itself = True
    published = {
        "learning_rate": 4e-5,
        "steps": 1000,
        "batch_size": 4,
        "source": "released code, GPT-2 with adapters; batches of 28 of anti-stereotypes and unrelated text",
    }

    beta: float = hyperparameter(0.1, "β, inverse temperature of the first term", source="released code", above=0)
    forget_weight: float = hyperparameter(0.5, "w_s, weight of what is pushed", source="released code", minimum=0)
    learn_weight: float = hyperparameter(0.3, "w_a, weight of what is pulled", source="released code", minimum=0)
    kl_weight: float = hyperparameter(0.2, "w_k, weight of the divergence", source="released code", minimum=0)
    adversarial: float = hyperparameter(
        0.25, "share of questions with a false answer to push", source="released code", minimum=0, maximum=1
    )
    band: float = hyperparameter(0.02, "how near to 1/2 is balanced", source="released code", minimum=0, maximum=0.5)
    swap: bool = hyperparameter(True, "whether sets change places", source="paper")
    answers: int = hyperparameter(
        4, "false answers of each question, half of them for the score", source="ours", minimum=2
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train, and look at the score before each pass."""
        asked = data.prompted()
        others = (*asked.forget, *asked.retain)
        false = [false_answers(pair, others, self.answers, run.rng) for pair in asked.forget]
        told = list(zip(asked.forget, false, strict=True))
        trained = [replace(pair, alternates=wrong[: -(-len(wrong) // 2)]) for pair, wrong in told]
        held = [replace(pair, alternates=wrong[len(wrong) // 2 :]) for pair, wrong in told]
        pushed = run.rng.sample(trained, round(self.adversarial * len(trained)))
        forget = (*trained, *(replace(pair, answer=run.rng.choice(pair.alternates)) for pair in pushed))
        every = -(-len(forget) // run.recipe.batch_size)
        turned = False

        def finished(step: int) -> bool:
            nonlocal turned
            if step % every:
                return False
            with model.evaluating():
                score = preferred(model, held)
            turned = self.swap and score < 0.5
            return abs(score - 0.5) <= self.band

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            sets = batch.forget, batch.preferred, batch.retain
            outs, before = model.token_logits(*sets), batch.before.token_logits(*sets)
            push, pull = (1, 0) if turned else (0, 1)
            forget = npo_loss(-outs[push].sequence_nll(), -before[push].sequence_nll(), self.beta)
            kept = mean_kl(before[2], outs[2])
            return self.forget_weight * forget + self.learn_weight * mean_nll(outs[pull]) + self.kl_weight * kept

        return run.minimize(
            loss,
            model,
            replace(asked, forget=forget),
            None,
            self.reference,
            alternates=True,
            finished=finished,
            retain=self.kl_weight > 0,
        )
