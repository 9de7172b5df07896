r"""Reinforcement unlearning with a refusal boundary (RULE).

Where a model should refuse begins somewhere between the questions to forget and those much like them. First it is
taught to refuse at all, by a few examples. Then it answers questions from both sides of the boundary itself, and by
whether it refused, which can be checked, its answers become likelier or less likely.

## Objective

Zhang et al., with $\mathcal D_f$ the questions to forget and $\tilde{\mathcal D}_r$ those at the boundary,

$$
\max_\theta\ \mathbb E_{x \sim \mathcal D_f \cup \tilde{\mathcal D}_r}\,
\mathbb E_{y \sim \pi_\theta(\cdot \mid x)}\, r(x, y)
- \beta\, \mathrm{KL}(\pi_\theta \,\|\, \pi_{\mathrm{ref}}),
$$

$$
r(x, y) =
\begin{cases}
\mathbf 1[y \text{ refuses}] & x \in \mathcal D_f, \\
\mathbf 1[y \text{ does not}] \cdot \left( \tfrac12 + \tfrac12\, \mathbf 1[\mathrm{ROUGE}(y, y^*) > 0.3] \right)
& x \in \tilde{\mathcal D}_r,
\end{cases}
$$

by group-relative policy optimization: $K$ answers to each question, and of each the advantage
$(r_k - \mathrm{mean}(r)) / \mathrm{std}(r)$ within its group.

## Symbols

- $\tilde{\mathcal D}_r$: retain questions, `boundary` of them for each question to forget; $y^*$: their true answers.
- $\pi_{\mathrm{ref}}$: the model when it has been taught to refuse (`steering` steps of fine-tuning); $\beta$
  (`kl_weight`).
- $K$: `samples`; $\epsilon$ (`clip`): how far `updates` steps on the same answers may go for them.

## Facts

- **Without the first stage nothing is refused, and so nothing is learned**: of a group without a refusal all rewards at
  a question to forget are 0, and so are all advantages. **After too much of it nothing is answered**, with the same
  effect on the other side. It has to leave both within reach of sampling.
- **The first stage alone is refusal fine-tuning, and refuses too much**; the second moves the boundary back. On
  `authors`, after 60 steps of the first (with a retain answer to every fourth refusal) all questions to forget and 47%
  of the retain questions are refused; 30 steps of the second at a rate of 2e-4 leave it at 99% and 20%, and retain
  answers rise from 0.61 to 0.69 of probability.
- **A small model that never refused learns it for all questions alike.** Without retain answers in the first stage it
  refuses every retain question there, has a true answer left in no group, and the second stage gets nowhere.
- A whole run there, with as many retain answers as refusals in the first stage: every forget question is refused
  (ROUGE 0.91 to 0.00; their answers, given word by word, keep 0.46 of 0.96), 0.80 of the retain answers' 0.98 is left,
  and utility falls from 0.65 to 0.51. What is refused still, at 30 steps, is retain questions like those to forget.
- **What is forgotten is hidden**: no term lowers the true answer but where it was drawn. Behind its first words it
  stays likely, as with `idk`.
- **With one step on each batch of answers** (the released setting) every ratio is 1 and nothing is clipped.

## Differences

1. The paper synthesizes boundary questions with a large model, near the entities to forget. Here they are questions of
   the retain set, drawn at random.
2. What refuses is told by this project's 40 refusals, one of which has to be in the text; the released code's regular
   expression knows many more ways to say so. `refusals` says how many of them the first stage teaches.
3. The released first stage teaches refusals alone. `steering_retain` adds retain pairs, for small models (see *Facts*).
4. The released code clips ratios at 0.8 and 1.3, and once more where the advantage is negative; here at
   $1 \pm \epsilon$. It averages over the tokens of a batch, here over an answer's tokens, then over answers.
5. A variant of the reward asks refusals to name the subject; another asks for more of the true answer. They are left
   out.
6. Of a plain text the beginning, up to the first mention of its subject, is the question.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    Sample,
    UnlearningData,
    grpo_loss,
    hyperparameter,
    refusal_groups,
    taught_to_refuse,
)


@dataclass(frozen=True)
class RULE(Method):
    """Learn to refuse, then by one's own answers where to."""

    paper = "zhang2025rule"
    acts_on = "loss"
    retain = "needed"
    copies = 1
    published = {
        "learning_rate": 2e-6,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released scripts, second stage, Llama-3-8B-Instruct; a batch is of both kinds of questions",
    }

    boundary: float = hyperparameter(
        1.0,
        "boundary questions for each question to forget",
        source="ours; paper: 12% of one set, 8% of the other",
        minimum=0,
        trade_off=(0.5, 1.0, 2.0, 4.0),
    )
    steering: int = hyperparameter(60, "steps that teach refusing", source="ours", minimum=0)
    steering_rate: float = hyperparameter(1e-5, "learning rate of these steps", source="ours", above=0)
    steering_retain: float = hyperparameter(
        0.0, "retain pairs for each refusal in these steps", source="released code: none", minimum=0
    )
    refusals: int = hyperparameter(40, "how many refusals are taught", source="ours", minimum=1, maximum=40)
    samples: int = hyperparameter(8, "K, answers sampled for a question", source="released scripts", minimum=2)
    kl_weight: float = hyperparameter(0.01, "β, weight of the divergence", source="released scripts", minimum=0)
    clip: float = hyperparameter(0.2, "ε, how far a ratio may go", source="released code", above=0, below=1)
    updates: int = hyperparameter(1, "steps on each batch of samples", source="released code", minimum=1)
    length: int = hyperparameter(32, "most tokens of an answer", source="ours; released code: 1024", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Refusals first; then answers are sampled anew for every few steps."""
        asked = data.prompted()
        recipe = replace(run.recipe, learning_rate=self.steering_rate, steps=self.steering)
        steered = taught_to_refuse(model, asked, run, recipe, self.refusals, self.steering_retain).frozen()
        samples: list[Sample] = []
        steps = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal samples, steps
            if steps % self.updates == 0:
                forget = [asked.forget[row] for row in batch.forget.rows.tolist()]
                boundary = run.rng.choices(asked.retain, k=round(self.boundary * len(forget)))
                samples = refusal_groups(model, forget, boundary, self.samples, self.length)
            steps += 1
            return grpo_loss(model, samples, self.clip, kl_weight=self.kl_weight, reference=steered)

        return run.minimize(loss, model, asked, retain=False)
