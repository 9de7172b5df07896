r"""Representation steering.

The loss acts on hidden states more than on tokens: states of forget inputs are led somewhere else, those of other
inputs are held where they were, in the first of them by

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
- `reva`: `rmu`, and then once more in deeper blocks, with $m$ the state of a question that cannot be answered, so that
  ignorance is admitted.
- `r2mu`: `rmu` with two more sets of texts. What the model itself writes about the forget set is scrambled, without the
  question before it; texts that show how to reason about other things are held.
- `rna`: `rmu` with noise on where retain states are held, drawn anew for each token, so that a stray word of the forget
  set in another question is to lead less of it away.
- `grun`: no target. A gated edit of the state of a question's last token is trained by what is answered (`npo`'s loss),
  and its gate by which set a question is from. No weight of the model learns.
- `circuit-breakers`: no target at all. Forget states of two layers are turned until they are at a right angle to
  $M_{\theta_0}(t)$; retain states are held in all layers, by their distance and not its square, and more so the longer
  training goes on. All weights up to the second layer learn.
- `cir`: what MLPs of some layers write is turned to a right angle, as states are in `circuit-breakers`; but what all
  texts share, in what a matrix reads and in what is asked of it, is taken out of each token's part of the update first.
- `mcu`: `cir` with another loss: what MLPs write is turned to a right angle within the minor components of what they
  wrote, and the few directions along which that varied most are left alone.
- `falcon`: only directions count. Forget states are led from theirs to one that is made of their own principal ones,
  and of each tensor's gradient the part that goes against keeping is taken away. The weights are those of `rmu`.
- `lunar`: $m$ is $M_{\theta_0}$ plus a multiple of the difference between questions that cannot be answered and those
  to forget, at a prompt's tokens. One down-projection is refitted by least squares; nothing is trained.
- `mrp`: no target and no weight. Behind two blocks a few directions are learned and taken out of all states, those
  without which forget answers are unlikely and others are not; each request adds its own.
- `geometric-unlearning`: $m$ is no point but a small subspace, in which states of questions lie that cannot be
  answered; made-up questions with the names to forget are led into it, and taught a refusal. No forget answer is read.
- `repnoise`: $m$ is Gaussian noise, matched as a distribution and in what the MLPs of all layers write. Beside it the
  answers are made unlikely as each layer would read them.
- `align-then-unlearn`: no target either, and no state is looked at by itself. A second network tells from the states
  what comes next, as an encoder would put it, and they are moved until nothing that it foresees is near what is to be
  forgotten.
- `leace`: no target and no training. In each layer an affine map takes out of all states what a linear probe could
  read of a concept, such as which of the subjects to forget a text is about, and changes them as little as that allows.
- `sae-clamping`: no training of the model either. An autoencoder learns to read states as features, and those that
  hardly show but in what is to be forgotten are set to less than nothing wherever they do.
- `clamp-prime`: the same from a threshold on, so that a feature which is hardly active is left alone.
- `crisp`: `sae-clamping` in the weights. Adapters are trained until such features, in several blocks, are not active
  any more by themselves, with retain states held as in `rmu`.

Held against `grad-diff`: all but `repnoise` have terms with a floor, and no likelihood enters. Model editing
(`rome`, `memit`) also works inside a layer, towards a state that is computed for each subject; localization (`depn`,
`pcgu`) first asks which weights hold the fact; `eul` also changes what flows through the layers, but learns by the
model's answers.

## Read first

`rmu`.

## What to expect

In `rmu` and `adaptive-rmu` few weights move, and utility is kept well, on `authors` too, where the forget answers
come near the retrained model's level. But the target is nothing that a model would have by not knowing, and what is
then said is less often a sentence. The knowledge is not where it was read, which is not the same as gone: after few
steps of `relearning` most of it is back. The length $c$ and the weight $\alpha$ have to suit the size of the states,
which differs from model to model.

A step of theirs costs a pass forward on forget and retain answers, a second one through a frozen copy for what is to
stay, and a way back that begins in the middle of the model and ends two layers further down: cheaper than that of a
loss on tokens. `circuit-breakers` looks through the frozen copy at both sets, `repnoise` reads each layer through the
head, `lunar` passes over all prompts once, and `leace` over both sets once for each layer.
"""
