r"""Divergence-based distillation.

A student $p_\theta$ is held against whole distributions of a teacher $q$, at the places of an answer $y$: not the
right token counts, but all that was expected in its place,

$$
\mathrm{KL}_{\mathcal D}(q \,\|\, p_\theta) = \mathbb E_{(x,y) \sim \mathcal D} \frac{1}{|y|} \sum_t
\mathrm{KL}\!\left( q(\cdot \mid x, y_{<t}) \,\|\, p_\theta(\cdot \mid x, y_{<t}) \right).
$$

A divergence is never below 0, so where it is minimised there is a point to arrive at. The teacher is a frozen model;
which one, and on which data, is what sets the methods apart.

## How they relate

- `kl-min`: `gradient-ascent` on the forget set plus $\mathrm{KL}_{\mathcal D_r}(p_{\theta_0} \,\|\, p_\theta)$, in
  place of the likelihood of `grad-diff`. The teacher is the model before unlearning; it holds what stays, and does
  not bound what goes.
- `malto`: the retain term of `kl-min`, and a second divergence in place of ascent, from a teacher that knows nothing:
  a network drawn anew, no preference at all, or the model from before it met the forget set.
- `mean-teacher`: on the retain set the teacher is a slow average of the student itself, so that it forgives in time;
  the divergence is taken to second order. On the forget set it is ascent that fades, as `ce-u` has it.
- `undial`: no ascent. On the forget set the teacher is the model before unlearning with $\beta$ taken off the logit
  of the true token, and the student is trained to say just that. The target never moves, and no retain set is needed.
- `prod`: `undial` with the true token struck out altogether, and the unlikely tokens with it; what is left is made to
  add up to 1 again. No retain set is needed, but one helps.
- `unmemorization`: `prod` at every k-th token alone, with the $K$ likeliest of the others for a target; between these
  the target has the true token as well. It is for texts that are recited: the wording breaks, what it says is kept.
- `shred`: as `unmemorization`, at the tokens that surprised the model before unlearning most, in place of every k-th:
  it is facts that it looks for. The true token is not struck out but comes last of the $K$ likeliest.
- `asu`: the teacher is the model before unlearning once more, attending less sharply, so that it mixes up facts; it is
  not told which token is the true one. The likelihood of `grad-diff` or the divergence of `kl-min` holds what stays.
- `permu`: the teacher is the present model with noise on the name of whom the question is about, less a part of what
  it says without; nor is this one told the true token. It is the name that is to lose its meaning. The likelihood of
  `grad-diff` holds what stays.
- `whp-causal`: the teacher is the model before unlearning, reading the same text about others; what it expects there is
  averaged over many names, with the subject's own put back. No retain set is needed.
- `kga`: the target is a distance. A copy that was trained further on the forget set, and one on new data, are the
  teachers; the student is to be as far from the first, on the forget set, as the model before unlearning is from the
  second on new data. The loss is the absolute difference of these two divergences, plus the one of `kl-min` on the
  retain set.
- `leave-one-out`: the teachers are several, each of another part of the data, and vote; for every text the one that has
  read it is left out. The likelihood of `grad-diff` holds what stays.
- `unilogit`: `undial` with the present model for a teacher and a $\beta$ that it finds for itself: as much as leaves
  the true token with the probability of guessing. The student comes first in the divergence.
- `rkld`: the student comes first here as well. The teacher is the model before unlearning with all those tokens
  turned down that a copy, trained further on the forget set, has turned up.
- `e2urec`: the teacher of `rkld`, now first in the divergence, and a second one for the retain set, that of `kl-min`,
  with the likelihood of `grad-diff` beside it. Adapters alone learn.
- `scrub`: the likelihood of `grad-diff` and the divergence of `kl-min` on the retain set, and on the forget set the
  divergence with the other sign: the student leaves whatever the teacher expects there. Passes over the two sets take
  turns, and end with the retain set alone.
- `dup`: the same divergence with the same sign on the forget set, and the likelihood of `grad-diff`, in one sum.
  Adapters alone learn.
- `w2sdefense`: the teacher is a small model that has learned the retain set and nothing else, and the student takes
  after its features as well as its answers. The likelihood of `grad-diff` holds what stays, and adapters alone learn.
- `undo`: the teacher is a model that was unlearned before, the student a copy of it damaged by noise, and only the
  retain set is taught: what the teacher knows and hides is not passed on.
- `exclusive`: the teacher knows nothing, and is held up to all that the model writes by itself. Not what must go is
  listed but what must stay, which keeps the likelihood of `grad-diff`.
- `jensun`: one bounded divergence, Jensen and Shannon's, for both sets. On the forget set it is that from the tokens of
  a refusal, on the retain set that from the model before unlearning.
- `df-mcq`: the teacher is the uniform distribution, not over tokens but over the true answer and several wrong ones.
  The divergence of `kl-min` holds what stays.
- `obliviate`: the teacher is the present model with the tokens struck out that only the forget set has; `prod` strikes
  out the one true token of a place. Logits and predictions of before hold what stays.
- `elm`: the teacher is the model before unlearning again, asked three times: as it is, as an expert on what is to go,
  and as a beginner. What the expert would say more than the beginner is turned down, and only a few blocks learn.

`ce-u` of the family of gradient ascent has the target of `undial` for $\beta \to \infty$, with the present model for
a teacher; `wga` and `llmu` have the retain term of `kl-min`; and `eul` trains its layers with divergences.

## Read first

`undial`: an objective with an end, in a few lines.

## What to expect

At the start the divergence from the model before unlearning is 0, and so is its gradient: it acts only once something
has gone wrong. On `authors` `kl-min` keeps the retain answers well, and still pushes the forget answers far below the
retrained model's level. `undial` arrives and stays, however long one trains, but above that level: the true answers
remain easy to tell from unseen ones, and $\beta$ has to be weighed against how sure the model is. `kga` is only as
good as its auxiliary models, which set the distance; once there, it swings about it.

A teacher costs a pass forward for each answer that it looks at, and the memory of a second model. `kga` trains two
more models first, `leave-one-out` four.
"""
