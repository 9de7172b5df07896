r"""Second-order and influence-based updates.

A gradient says in which direction a loss falls, and not for how long: that is the curvature $H$, the Hessian of the
loss. Deleting data that a model was fitted to is, to second order, a single step,

$$
\theta = \theta_0 - H^{-1}\, \nabla \mathcal L(\theta_0),
$$

where $\mathcal L$ is the loss without the data (Newton) or a loss that unlearns it (influence). No model of language
has its $H$ in memory: it has as many rows as there are weights. What methods choose is how to do without, most
often by its diagonal, and whether to walk in one step or in many.

## How they relate

- `fisher-removal`: one step. $H$ is the diagonal of the retain set's Fisher information, the gradient that of the
  forget loss, which is what Newton's step comes to where training had ended.
- `fisher-forgetting`: the same curvature and no gradient. Noise goes to the weights, the less the more the retain set
  needs them, and the forget set is not looked at.
- `kfade`: a few steps of the kind of `fisher-removal`, whose curvature is a Kronecker product for each matrix of the
  MLPs (K-FAC), which knows what acts together; what retain answers may say otherwise sets each step's length.
- `adapter-influence`: one step, in the few weights of an adapter that holds all that was learned. The whole
  Gauss-Newton matrix is used, by its products with vectors; what is asked for may be a correction.
- `rapidun`: influence without the curvature. Inner products of single examples' gradients say which of them forgetting
  is felt by, and become weights of the losses of `grad-diff`, in an adapter.
- `soul`: many steps. The loss is that of `grad-diff`; each weight's step is divided by a running estimate of the
  diagonal, the square of the gradient, and cut off at the learning rate.

`ssd`, of another family, uses the same diagonal, the empirical Fisher information, for a choice: weights that matter
to the forget set far more than to the rest are turned down, and `loku` for where adapters start. `wagle` puts a
constant in its place.

## Read first

`fisher-removal` for the step that all of this is about; then `soul`, and hold it against `grad-diff`, from which only
the optimizer differs.

## What to expect

Where gradients are small, which is at the start, hardly any entry is above the cut-off, and a step is one by signs: as
long as AdamW's first. Curvature tells once gradients grow, as ascent makes them do, and holds just those weights back.
The loss has no floor for all that. A step costs what one of `grad-diff` does, and as much memory as AdamW's.

The methods of one step have one number to be right, and nothing on the way that would tell; the diagonal costs a pass
forward and back for every single retain answer. Of a model that knows the retain set by heart it sees nearly nothing.
"""
