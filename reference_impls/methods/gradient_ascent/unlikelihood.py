r"""Unlikelihood training.

Likelihood training says what should come next; unlikelihood training says what should not, by raising the probability
of everything else. It was made against repetition, with the words before as negative candidates. To unlearn, the
candidates are the tokens of the answers to forget, and what is learned beside them is the retain set.

## Objective

Welleck et al. (their token-level objective), with a set $\mathcal C_t$ of negative candidates at each place:

$$
\mathcal L_{\mathrm{UL}} = -\sum_{c \in \mathcal C_t} \log\big(1 - p_\theta(c \mid x, y_{<t})\big);
\qquad
\mathcal C_t = \{ y_t \} \text{ on forget answers:}
$$

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t -\log(1 - p_t)
+ \lambda\, L(\mathcal D_r; \theta),
\qquad p_t = p_\theta(y_t \mid x, y_{<t}).
$$

## Symbols

- $p_t$: the probability of a token to forget, behind the true tokens before it.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **Bounded below by 0**, which is where all of it is forgotten; $-\log p_t$, which ascent raises, has no end.
- **The gradient at the logits** is $p_t$ at the true token and $-\frac{p_t\, p_v}{1 - p_t}$ at any other $v$, so that
  the others keep their odds. Its absolute values add up to $2 p_t$; those of ascent, $1 - p_t$ at the true token, to
  $2 (1 - p_t)$. So it is the mirror image: full strength where a token is known by heart, where ascent hardly begins,
  and nothing where it is gone, where ascent pulls hardest.
- **As a weight** of $\log p_t$ (see the family) it is $w_t = \frac{p_t}{1 - p_t}$, the odds: 99 for $p_t = 0.99$, 1 at
  one half, 0.01 for $p_t = 0.01$. `wga`, whose weight is $p_t$, has at most $\frac14$ at a logit, and nothing for
  what is certain.
- **No knowledge is spared for being general**: words that the forget answers share with all others are certain, and
  get as much as names do.
- `ce-u` has the same gradient, without the answer's first token and without a retain term; `targeted-lat` lets go of
  tokens below $e^{-5}$; `mean-teacher` has a bound on the odds; `catnip` has this loss as a special case.
- **On `authors`** forget answers go from 0.96 to 0.07 at a rate of $2 \cdot 10^{-4}$, as with `grad-diff`, and retain
  answers to 0.77, as there: all is still on the way. At $5 \cdot 10^{-4}$ it has come to rest at 0.01, with retain
  answers back at 0.90 and the utility at 0.62 (before: 0.65); `grad-diff` leaves $10^{-11}$, 0.32 and 0.38. Nothing
  says where to stop here either, and what is said of whom it forgot is no sentence in most cases.

## Differences

1. The paper trains with it from the beginning or goes on from a language model, and its candidates are the tokens of
   the text so far, or those of $n$-grams that the model repeats. That the candidates are answers to forget is what the
   unlearning literature makes of it, not the paper. The formula is that of the paper and of its released code.
2. The code's weight $\alpha = 1$ stands at the unlikelihood; here $\lambda$ stands at the other term.
3. The code sums over tokens; here a mean over an answer's tokens, then over answers.
4. The code cuts $1 - p_t$ off at $10^{-5}$, below which there is no gradient. Here it is taken from the other tokens'
   logits, so that the certain ones, which have most to forget, are not left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll, unlikelihood_loss


@dataclass(frozen=True)
class Unlikelihood(LossMethod):
    """Minimise the unlikelihood of forget answers plus the retain loss."""

    paper = "welleck2019neural"
    acts_on = "loss"
    retain = "optional"

    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code: the two are added",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return unlikelihood_loss(forget) + self.retain_weight * mean_nll(retain)
