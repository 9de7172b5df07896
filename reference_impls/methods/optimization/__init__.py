r"""Optimization and training schemes.

What is new is not what is lost and kept, but how the two are brought together. In

$$
\mathcal L(\theta, \lambda) = L_f(\theta) + \lambda\, L_r(\theta),
$$

with a forget loss $L_f$ and a retain loss $L_r$, other families choose a weight $\lambda$ and leave it; here the
balance is found while training.

## How they relate

- `pdu`: unlearning as a constrained problem, $\min_\theta L_f(\theta)$ subject to $L_r(\theta) \le \varepsilon$. A
  primal step, in which $\theta$ descends at fixed $\lambda$, takes turns with a dual one,
  $\lambda \leftarrow \max(0, \lambda + \eta (L_r - \varepsilon))$: the weight rises as long as the retain loss is
  above its bound, and falls when there is room. The forget loss is new as well: the squared distance of the largest
  logit from the mean of all, which is 0 where every token is as likely as any other.
- `gru`: two gradients in each step, one of ascent on forget answers, $g_u$, and one of the retain loss, $g_r$. Where
  they conflict, the part of $g_u$ that goes against $g_r$ is taken away; where not, nothing is done.
- `ngdiff`: both gradients brought to the length 1 before they are subtracted, so that neither task drowns the other.
  It is `grad-diff` with weights that are chosen anew in every step.
- `munba`: the same two directions, as players who bargain. Their step is the sum of `ngdiff` at a fixed length, so that
  it goes on where they conflict; and forgetting is a loss to be lowered, of labels drawn by lot, not ascent.
- `mollm`: three directions, the third for staying near what the model said, and the shortest vector between them, along
  which every loss falls, in place of a bargain or a difference. Its forget loss has a floor.
- `npo-sam`: the loss of `npo`, whose gradient is taken not at the weights but at the worst point nearby, so that the
  place it leads to is flat, and relearning has further to go.
- `ilu`: the losses of `npo` and a penalty on the slope of the retain loss by the scale of the logits, so that other
  training finds less to change. Where `npo-sam` asks that the forget loss be flat around, this asks it of other data.
- `blur`: two levels. All that bears on the forget loss is taken from the retain gradient, and a fixed multiple of the
  forget gradient is added: the mirror image of `gru`, in which keeping is the constraint.
- `hamu`: the other mirror image of `gru`. The forget loss has to rise by a set amount in each step, and of all short
  steps that do that the retain loss chooses: `blur` with a bound on the length and a pace that stays the same.
- `mudman`: the forget gradient is taken at an adversary, a copy that keeps relearning. Only entries whose sign agrees
  with the retain gradient's are used: `gru` entry by entry.
- `sago`: entry by entry as well, without the adversary: where the signs disagree the retain gradient's entry is taken,
  where they agree the forget gradient's.
- `targeted-lat`: the loss is taken where an attacker has shifted the hidden states of each text so that the answers
  come back: `npo-sam` with the worst point among activations instead of weights.
- `lau`: the same attacker, and for the loss that of ascent or `npo`, as it would be without him: little pulls where he
  has won, so that he is kept short.
- `agt-ao`: shifts in a box of all entries, in which `npo`'s loss is worst, and only in steps whose gradient is short;
  and a penalty, with a gradient of its own, on the angle at which `gru` projects.
- `baldro`: npo's loss where it stands worst, not over models but over ways to weigh the examples: what is still
  remembered counts, and what is gone is left alone.
- `tar`: in each step a new attacker fine-tunes a copy, and along his way the entropy of what he would say is raised:
  `mudman` with the whole attack in every step, and with a safeguard before the first.
- `gu`: whatever of the forget gradient lies in the span of the last few retain gradients is taken away, help as well as
  harm, with angles as the optimizer measures them: `gru` for a span, and without its condition.
- `dualoptim`: the two losses are never added. Steps on either take turns, each with an optimizer's state of its own, so
  that momentum gathered in forgetting is not spent in a step that keeps. Where others weigh losses, it has two rates.
- `fo-zo`: steps along a gradient take turns with steps along an estimate of it from two values of the loss. What
  `npo-sam` smooths by a mean of gradients, the second kind smooths by having none.
- `context-aware`: a third term beside the two, for any of them: behind a context that has the answer, the model is to
  say what it said before. What is to be forgotten and what is to stay are then one text, with and without its source.
- `dualoptim-plus`: what both optimizers of `dualoptim` have in common is remembered once, by a base, and each holds
  what departs from it: one optimizer where the gradients agree, two where they conflict.
- `sift`: matrix by matrix, and by directions in place of lengths. Where two gradients conflict, their singular
  directions are made orthogonal to one another; both have an equal say in steps of a fixed length, as with `munba`.
- `weight-distance`: no forget loss at all. The reward is to be far from the weights before unlearning, and the retain
  loss holds what it can hold.

Held against `grad-diff`: with `pdu` ascent gives way to a loss with a floor, and the fixed weight to $\lambda$; `gru`,
`ngdiff` and `munba` change what is made of the gradients; `npo-sam` keeps the weight and moves the place.
`blur` is of the former kind, `mudman` of both, `targeted-lat` of the latter; `dualoptim` leaves gradients as they are
and changes what an optimizer remembers of them. `gu` does as `gru`, and sees to it that the optimizer undoes nothing.
Every loss that adds a retain term with a fixed weight (most methods here) could be trained in any of these ways.

## Read first

`gru`, whose whole idea is one projection; then `pdu`.

## What to expect

With `pdu` the retain loss first rises and then comes back towards its bound, for $\lambda$ starts to move late and
follows slowly; a bound that cannot be reached makes it grow without end. What is left to choose is $\varepsilon$, where
$\lambda$ begins and how fast it moves, in place of one weight. On `authors` retain answers are kept, and the forget
answers end far below the retrained model: a uniform distribution is not ignorance, what is said is word salad, and
`relearning` brings much back. That is the forget loss, not the scheme.

What `gru` and `ngdiff` promise about the retain loss holds to first order and for plain descent. AdamW scales every
weight by itself, which keeps no angle between gradients, and what is lost to higher orders `gru` does not win back.
Neither bounds the ascent.

A step of `pdu`, `gru`, `ngdiff` or `munba` costs what one of `grad-diff` does; `pdu` measures the retain loss once on
the whole retain set, for the bound, and two gradients are kept where one would do; so it is with `blur`. `npo-sam`
looks at the forget examples twice, and so does `mudman`, in a second model; `targeted-lat` and `lau` do as often as
their attacker steps, and `tar` trains an attacker in each. `gu` keeps as many gradients as its span has. `dualoptim`
looks at one set in each step, for half of the cost, and keeps twice what AdamW keeps.
"""
