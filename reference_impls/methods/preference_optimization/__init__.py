r"""Preference optimization.

The forget answer is the losing half of a preference pair. Alignment losses push the losing half down in a bounded
way, which is what gradient ascent lacks: with
$r_\theta = \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)}$,

$$
\mathcal L(\theta) = -\frac{2}{\beta}\, \mathbb E \log \sigma\big(\beta\, (r_\theta(y_w) - r_\theta(y_l))\big)
+ \alpha\, L(\mathcal D_r; \theta).
$$

## How they relate

- `dpo`: both halves. A refusal wins, the forget answer loses. Only their difference is constrained, so both may fall,
  or the true answer stay where it is.
- `npo`: drops the winning half, $r_\theta(y_w) = 0$. The gradient is ascent's times a weight between 0 and 2 that
  fades as the answer is forgotten; for $\beta \to 0$ it *is* ascent.
- `sim-npo`: drops the reference model too. The log-likelihood per token takes the place of $r_\theta$, with a margin
  $\gamma$, so that short and long answers are pushed alike.
- `alt-po`: puts a winning half back that is no refusal: plausible answers that the model itself invents. Several for
  each question, with the loss of `dpo`.

## Read first

`npo`; the others are told as differences from it.

## What to expect

They keep more utility than ascent at the same forgetting, because the push fades. How much depends on $\beta$ and on
the weight of the retain term more than on which of them it is. A bounded loss is no promise that what was pushed down
is gone: see what attacks bring back on each method's page.
"""
