r"""Mixed prompt unlearning (MP).

Who is taught to refuse some questions and to answer others has only ever seen one at a time. Asked both at once, he
refuses both or answers both, whatever the first of them calls for. So prompts that ask two questions are trained on as
well, one of either kind, in both orders.

## Objective

Jeung et al. (the released code's form, with refusals):

$$
\mathcal L(\theta) = L(\mathcal D_f^{\mathrm{idk}}; \theta) + \alpha \Big( L(\mathcal D_r; \theta)
+ \gamma \big( L(\mathcal D_{fr}; \theta) + L(\mathcal D_{rf}; \theta) \big) \Big),
$$

$$
\mathcal D_{fr} = \{ (1.\,x_f\; 2.\,x_r,\;\; 1.\,\tilde y\; 2.\,y_r) \},
\qquad
\mathcal D_{rf} = \{ (1.\,x_r\; 2.\,x_f,\;\; 1.\,y_r\; 2.\,\tilde y) \} .
$$

## Symbols

- $L$: the mean negative log-likelihood of an answer's tokens. $\mathcal D_f^{\mathrm{idk}}$: the forget questions, each
  with a refusal $\tilde y$, drawn anew in each step.
- $(x_f, y_f)$, $(x_r, y_r)$: a question to refuse and one to answer, paired as they meet in a batch. Both are numbered,
  each on a line of its own, and so are the answers.
- $\alpha$ (`retain_weight`), $\gamma$ (`mixed_weight`; 1 in the code).

## Facts

- **With $\gamma = 0$ it is `idk`.**
- $\tilde y$ and $y_r$ stand in the same answer, behind the same prompt: what tells them apart is which question they
  answer, and no longer what kind of a prompt it is.
- A step reads each question three times, and for each pair the tokens of four answers more than `idk`.
- **Nothing is pushed down**, as in `idk`: the true answer enters nowhere.
- Two questions at a time are what is trained; the paper finds that it holds for more.
- **On `authors` it learns to do both at once**: after 150 steps at the rate 0.001 with $\alpha = 2$, of prompts that
  ask one question of either kind, the forget question is refused in 0.90 of cases where it comes first and in 0.70
  where it comes second, and the other is answered rightly in 0.53 and 0.60. After `idk` at the same settings no such
  prompt gets either. These models never read two questions at once, and had answered one of them.
- Single questions pay for it: 0.98 of those to forget are refused by both, but of retain questions 0.80 are answered
  rightly, with `idk` 0.88 (before: 0.95). True answers to forget questions keep a probability of 0.22, with `idk` 0.46.

## Differences

1. The paper has a second form, for `me-gd`: the part of a mixed answer that answers the forget question is led to the
   uniform distribution, in the prompt as well, and the rest is held by a divergence. It is left out.
2. In the code the mixed prompts' loss takes in the prompt of one of its forms; in the form with refusals it is that of
   the answer, as here.
3. The code writes `1.` with a space behind it for one kind of question and without for the other, so that the kind can
   be told by it. Here both have one.
4. Of a plain text, which asks nothing, its beginning up to the first mention of its subject is taken for the question.
5. The equations are those of the released code; of the paper its abstract was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    with_refusals,
)


def side_by_side(model: LanguageModel, first: Pair, second: Pair) -> Pair:
    """Two questions in one prompt, numbered, with both answers."""
    questions, answers = (
        f"1. {one.strip()}\n2. {other.strip()}"
        for one, other in (
            (model.typed(first.prompt), model.typed(second.prompt)),
            (first.answer, second.answer),
        )
    )
    return Pair(model.question(questions), model.answer(answers))


@dataclass(frozen=True)
class MixedPrompt(Method):
    r"""Minimise $\mathcal L$."""

    paper = "jeung2025seps"
    acts_on = "data"
    retain = "needed"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "source": "released script, TOFU with Llama-2-7B-chat; also 10 epochs",
    }

    mixed_weight: float = hyperparameter(1.0, "γ, weight of mixed prompts", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of all that has retain answers in it",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss over refusals and mixtures that are drawn with the run's random numbers."""
        prepared = with_refusals(data.prompted(), run.rng)

        def mixed(batch: Batch) -> list[Pair]:
            """Each forget question of a batch, refused, with a retain question of it, in both orders."""
            pairs = []
            for unwanted, wanted in zip(batch.forget.rows.tolist(), batch.retain.rows.tolist(), strict=False):
                asked, kept = prepared.forget[unwanted], prepared.retain[wanted]
                refused = Pair(asked.prompt, run.rng.choice(asked.alternates))
                pairs += [side_by_side(model, refused, kept), side_by_side(model, kept, refused)]
            return pairs

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            refusal, retain, both = model.token_logits(batch.preferred, batch.retain, model.encode(mixed(batch)))
            kept = mean_nll(retain) + 2 * self.mixed_weight * mean_nll(both)  # the mean over two sets of one size
            return mean_nll(refusal) + self.retain_weight * kept

        return run.minimize(loss, model, prepared, alternates=True)
