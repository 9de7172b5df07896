r"""Representation steering.

The loss acts on hidden states, not on tokens: states of forget inputs are led somewhere else, those of other inputs
are held where they were,

$$
\mathcal L = \mathbb E_{x \sim \mathcal D_f} \frac{1}{|x|} \sum_t \left\| M_\theta(t) - m(t) \right\|^2
+ \alpha\, \mathbb E_{x \sim \mathcal D_r} \frac{1}{|x|} \sum_t \left\| M_\theta(t) - M_{\theta_0}(t) \right\|^2 ,
$$

over the answers' tokens $t$, with $M(t)$ the residual stream after one layer, $M_{\theta_0}$ that of the model before
unlearning, and $m$ the target. Later layers then have nothing to work with. A method is a choice of $m$, of the
layer, and of the weights that learn.

## How they relate

- `rmu`: $m(t) = c\, u$, one random unit vector $u$ of positive entries, drawn once, for all inputs and tokens, and
  long enough ($c$) to have an effect. Only the MLP down-projections of that layer and the two below it learn.
- `adaptive-rmu`: $m(t) = \beta\, \| M_{\theta_0}(t) \|\, u$, as many times as long as the state was before. So one
  setting suits an early and a late layer, whose states differ in length.
- `grun`: no target. A gated edit of the state of a question's last token is trained by what is answered (`npo`'s loss),
  and its gate by which set a question is from. No weight of the model learns.

Held against `grad-diff`: both terms are squared distances with a floor, and no likelihood enters. Model editing
(`rome`, `memit`) also works inside a layer, towards a state that is computed for each subject; localization (`depn`,
`pcgu`) first asks which weights hold the fact; `eul` also changes what flows through the layers, but learns by the
model's answers.

## Read first

`rmu`.

## What to expect

Few weights move, and both terms have a floor, so utility is kept well, on `authors` too, where the forget answers
come near the retrained model's level. But the target is nothing that a model would have by not knowing, and what is
then said is less often a sentence. The knowledge is not where it was read, which is not the same as gone: after few
steps of `relearning` most of it is back. The length $c$ and the weight $\alpha$ have to suit the size of the states,
which differs from model to model.

A step costs a pass forward on forget and retain answers, a second one through a frozen copy for what is to stay, and
a way back that begins in the middle of the model and ends two layers further down: cheaper than that of a loss on
tokens.
"""
