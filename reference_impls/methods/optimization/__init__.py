r"""Optimization-focused methods.

What is new is not the loss but how it is minimised: constraints, second models for the optimiser, steps that respect
what must stay.

## How they relate

- `pdu`: unlearning as a constrained problem, $\min_\theta L_f(\theta)$ subject to $L_r(\theta) \le \varepsilon$, by a
  primal step for the weights and a dual one for the multiplier $\lambda$. The weight of the retain term is thus found
  on the way, and not chosen. Its forget loss flattens the logits.

Every other loss that adds a retain term with a fixed weight (`grad-diff`, `npo` and most others) could be trained so.

## Read first

`pdu`.

## What to expect

The constraint holds the retain loss where it was asked to be, whatever the forget loss does. What is left to choose
is $\varepsilon$ and the step of the multiplier, in place of the weight.
"""
