r"""Divergence-based distillation.

A student is trained to match, or to keep a distance from, whole distributions of a teacher: not the right token, but
all that was expected in its place. A Kullback-Leibler divergence has a floor, so the part of the loss that is one
cannot run away.

## How they relate

- `kl-min`: `gradient-ascent` on the forget set, and on the retain set $\mathrm{KL}(p_{\theta_0} \,\|\, p_\theta)$
  instead of the likelihood of `grad-diff`. The teacher is the model before unlearning; it holds what stays, and does
  not bound what goes.
- `undial`: the teacher is the model before unlearning with $\beta$ taken off the logit of the true token. The target
  never moves, so there is a point to arrive at, and no retain set is needed.
- `kga`: two teachers, one that read the forget set and one that read new data. The student's distance from the first
  is to be as large as the first model's distance from the second: forgotten data are to be treated like unseen data.
  The loss is the absolute difference of two divergences, plus one on the retain set.

`ce-u` of the family of gradient ascent is `undial` for $\beta \to \infty$ with the present model for a teacher, and
`eul` of the modular family trains its layers with divergences.

## Read first

`undial`: an objective with an end, in a few lines.

## What to expect

Where the target is a distribution (`undial`, `kga`), training longer changes little, which no form of ascent can say.
How far the true answer falls is set by the target, not by the number of steps, so weigh $\beta$, or the auxiliary
models, first.
"""
