r"""Task vectors and adapter arithmetic.

Learn the forget set once more, measure what that does to the weights, and subtract it:

$$
\theta = \theta_0 - \lambda\, \tau, \qquad \tau = \theta_{\mathrm{ft}} - \theta_0 .
$$

No objective of forgetting is optimised; one number, $\lambda$, decides how far to walk.

## How they relate

- `task-vector`: $\tau$ is the change of all weights after fine-tuning on the forget set.
- `lora-negation`: $\tau = \frac{\alpha}{r} B A$ of a low-rank adapter; one of its factors is negated (both would
  change nothing). Only a change of rank $r$ in the linear layers can be taken away, and taking the module out
  restores the model.

To first order a small $\lambda$ acts as `gradient-ascent` along the path of training.

## Read first

`task-vector`; it is three lines of code.

## What to expect

Linear in $\lambda$ and cheap: one short fine-tuning, then one subtraction, and $\lambda$ can be chosen afterwards.
Nothing bounds the damage of a large $\lambda$. A model that knows the forget set by heart has little left to learn
from it, so that $\tau$ is short and its direction poor.
"""
