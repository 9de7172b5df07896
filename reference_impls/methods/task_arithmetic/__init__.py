r"""Task vectors and adapter arithmetic.

Learn the forget set once more, measure what that does to the weights, and subtract it:

$$
\theta = \theta_0 - \lambda\, \tau, \qquad \tau = \theta_{\mathrm{ft}} - \theta_0 .
$$

No objective of forgetting is optimised (but by `uipe` and `zjuklab`, before they go on), and no retain set is looked at
(but by `alkn`, `mox`, `sku`, `ext-sub`, `msa`, `sift-masks`, `uipe` and `zjuklab`); one number, $\lambda$, decides how
far to walk.

## How they relate

- `task-vector`: $\tau$ is the change of all weights after fine-tuning on the forget set.
- `lora-negation`: `task-vector` with a low-rank adapter in place of all weights, $\tau = \frac{\alpha}{r} B A$. One
  of the factors is negated, for both would change nothing. Only a change of rank $r$ in the linear layers can be
  taken away. Kept apart, the negated module could be taken out again; here it is merged into the weights.
- `mox`: `task-vector` whose fine-tuning is held to what the model says on the retain set, by the divergence of
  `kl-min`, whose mirror image it is.
- `spunge`: `task-vector` for parts of the forget set apart, each from the same start. Of every weight's changes those
  count that are large and agree in sign, so that one part does not water down what another asks for.
- `negmerge`: several `task-vector`s of the whole forget set, whose trainings differ in their learning rates. Only those
  weights move that all of them move in the same direction, by the mean of all.
- `ethos`: `lora-negation` of what is large in the singular directions of each weight. The small entries of the change,
  which any training makes, stay.
- `ext-sub`: `lora-negation` of what the module does not share, row by row, with one that has learned the retain set.
  The latter is added.
- `msa`: `task-vector` whose $\tau$ is what the forget set changes in an earlier checkpoint, one that does not know it
  yet; the change that the retain set makes there is added.
- `f-learning`: `task-vector`, and then the same questions are learned with other answers.
- `uipe`: a task vector of unlearning itself, by ascent or by `npo`; the model goes further along it.
- `zjuklab`: two task vectors of unlearning, by `npo` with more and with less that keeps, merged as `spunge` merges.
- `ssu`: `task-vector` with the mixed-up answers of `sku` learned as well, and in each step only the weights of large
  gradients; several requests are subtracted one after another.
- `alkn`: `ssu` with an eye on what must stay. Its mask asks what a weight's step does to the retain loss, tokens that
  are no longer known are left alone, and what earlier requests used learns more slowly.
- `sift-masks`: nothing is subtracted that the model was not made of. Every task is a vector of its own from the start,
  learned in an orthant that all share; the model is their sum, each looks at it through a mask, and the one that is to
  go is taken out exactly.
- `sku`: `task-vector` of a model that was made bad on purpose. It learns the forget answers, gives them to each other's
  questions, and is driven away from what it was on the retain set, in a loss that is `llmu`'s with two signs turned.

To first order a small $\lambda$ acts as `gradient-ascent` along the path of training. The methods of the modular
family, `eul` and `sisa-adapters`, also learn modules, but leave them in place.

## Read first

`task-vector`, whose code is a subtraction.

## What to expect

Linear in $\lambda$ and cheap: $\lambda$ can be chosen afterwards, without another training, and $\lambda = 0$ changes
nothing. Nothing bounds the damage of a large one, and nothing tells forget from retain set but the data that $\tau$
was learned from. On `authors` both bring the forget answers to the retrained model's level or a little below, and
both pay with retain answers. A model that knows the forget set by heart has little left to learn from it, so that
$\tau$ is short and its direction poor: `lora-negation` needs a larger $\lambda$ there than its paper uses. What
`relearning` brings back is less than after ascent; with retain answers gone as well, that is no proof of forgetting.

The cost is one short fine-tuning on the forget set, of all weights or of the adapter, and one subtraction;
`task-vector` keeps a second copy of the weights until then, `spunge` one for every part, with a fine-tuning each;
`negmerge` fine-tunes as often as trainings have to agree, one copy at a time. `ext-sub` trains two adapters, and
`ethos` decomposes every matrix once, which takes a while for wide ones.
"""
