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

Held against `grad-diff`: ascent gives way to a loss with a floor, and the fixed weight to $\lambda$. Every loss that
adds a retain term with a fixed weight (`grad-diff`, `npo` and most others) could be trained so. Bi-level and min-max
training belong to this family, too; nothing of the kind runs yet.

## Read first

`pdu`.

## What to expect

The retain loss first rises and then comes back towards its bound, for $\lambda$ starts to move late and follows
slowly; a bound that cannot be reached makes it grow without end. What is left to choose is $\varepsilon$, where
$\lambda$ begins and how fast it moves, in place of one weight. On `authors` retain answers are kept, and the forget
answers end far below the retrained model: a uniform distribution is not ignorance, what is said is word salad, and
`relearning` brings much back. That is the forget loss, not the scheme.

A step costs what one of `grad-diff` does; the retain loss is measured once on the whole retain set, for the bound.
"""
