r"""Bootstrapping with sequence beliefs (BS-S).

What gradient ascent takes from the true answer goes to what the model would say next in its place, which may be the
same in other words. BS-S lets the model say it: answers are sampled from it while it unlearns, and unlearned as well.

## Objective

Li et al. (the sequence form of their bootstrapping, equation 8 by the released code), with the retain term of their
experiments:

$$
\mathcal L(\theta) = (1 - \lambda)\, \mathcal L_u(\mathcal D_f; \theta)
+ \lambda\, \mathcal L_u(\hat{\mathcal D}_f; \theta) + \alpha\, L(\mathcal D_r; \theta),
$$

$$
\hat{\mathcal D}_f = \{ (x, \hat y_j) : x \in \mathcal D_f,\
\hat y_1, \dots, \hat y_N \sim \pi_\theta(\cdot \mid x) \} .
$$

## Symbols

- $\mathcal L_u$: the forget loss of `bs-t`, with the share $\lambda_t$ (`belief_weight`) for token beliefs among the
  $k$ (`top`) likeliest tokens; $\lambda_t = 0$ is gradient ascent.
- $\lambda$ (`sample_weight`): the share of the samples in what is unlearned; 0 is `bs-t`.
- $N$ (`samples`): how many answers are drawn for each question, at a `temperature`, of at most `length` tokens. They
  are drawn anew after `refresh` epochs.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$
  (`retain_weight`).

## Facts

- **A model that is certain samples the true answer**, and both parts are the same: at the start BS-S is `bs-t`. What
  it adds comes later, when other answers have taken over; the samples follow them.
- **Also what is right to say is unlearned**: a false sample shares its sentence with the true answer, and with what is
  to stay.
- **Unbounded below**, as gradient ascent is.
- On the embedded task (`authors`, 60 steps at a rate of 2e-4, one order of batches) the forget answers end at 0.24 and
  the retain answers at 0.94, by `bs-t` with the same settings at 0.12 and 0.90. What is said then is likelier under the
  retrained model (0.30 per token, by `bs-t` 0.16), though the true answer itself was pushed with half the weight.
- A round of samples costs as much as answering every forget question $N$ times, and a step as much as one of `bs-t`
  with $N$ times as many more answers.

## Differences

1. The released code draws samples for one batch and unlearns them in the batches that follow, whatever their
   questions; here each question has its own, drawn when its turn comes.
2. Its $\mathcal L_u$ is gradient ascent; by the authors' account any will do. Here it is the token form.
3. The mean is over each answer's tokens, then over answers, and the samples of a question count as much as its answer.
4. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    bs_t_loss,
    hyperparameter,
    mean_nll,
)


@dataclass(frozen=True)
class BSS(Method):
    r"""Unlearn what is to go, and what the model says in its place."""

    paper = "li2025llm"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "OpenUnlearning's configuration, which the released code keeps",
    }

    sample_weight: float = hyperparameter(
        0.5, "λ, share of the samples in what is unlearned", source="released code", minimum=0, maximum=1
    )
    samples: int = hyperparameter(3, "N, answers drawn for each question", source="released configuration", minimum=1)
    refresh: float = hyperparameter(2.0, "epochs after which samples are drawn anew", source="released code", above=0)
    temperature: float = hyperparameter(1.0, "temperature of the samples", source="released code", above=0)
    length: int = hyperparameter(32, "tokens of a sample", source="ours; enough for the answers here", minimum=1)
    belief_weight: float = hyperparameter(
        0.2, "λ of bs-t, share of the token beliefs; 0 is gradient ascent", source="as in bs-t", minimum=0, maximum=1
    )
    top: int = hyperparameter(20, "k, how many of the likeliest tokens are beliefs", source="as in bs-t", minimum=1)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released configuration",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Sample where samples are missing or old, and unlearn them along with the answers to forget."""
        asked = data.prompted()
        drawn: dict[int, list[Pair]] = {}
        age: dict[int, int] = {}

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            rows = batch.forget.rows.tolist()
            old = [row for row in dict.fromkeys(rows) if age.get(row, self.refresh) >= self.refresh]
            with model.evaluating():
                prompts = [asked.forget[row].prompt for row in old for _ in range(self.samples)]
                texts = iter(model.sample(prompts, self.length, self.temperature))
            for row in old:
                pair = asked.forget[row]
                drawn[row] = [replace(pair, answer=pair.spaced(next(texts))) for _ in range(self.samples)]
                age[row] = 0
            for row in rows:  # each comes once in an epoch
                age[row] += 1
            return self.loss(model, batch, model.encode([pair for row in rows for pair in drawn[row]]))

        return run.minimize(loss, model, asked, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, sampled: Encoded) -> Tensor:
        """The loss of one batch and of its samples, all in one forward pass."""
        forget, said, retain = model.token_logits(batch.forget, sampled, batch.retain)
        true, believed = (bs_t_loss(out, self.belief_weight, self.top) for out in (forget, said))
        unlearned = (1 - self.sample_weight) * true + self.sample_weight * believed
        return unlearned + self.retain_weight * mean_nll(retain)
