r"""Localization and pruning.

First find the few units $u$ of the weights that hold what is to go, by a score $s_u$, then change those alone:

$$
\theta_u \leftarrow \theta_u + \Delta_u \;\text{ for the units with the most telling } s_u,
\qquad \theta_u \leftarrow \theta_u \;\text{ for all others.}
$$

All methods here but seven score by gradients of the answer; they differ in the unit, the score and the change.

## How they relate

- `depn`: units are neurons of the MLPs. Integrated gradients say how much each contributes to the probability of the
  private tokens of an answer; the neurons that count in most texts are silenced, $\Delta_u = -\theta_u$ for their
  columns of the down-projection. Nothing is trained.
- `knowledge-neurons`: where `depn` comes from. The same attribution, but a fact is asked for in several wordings first,
  and only neurons that tell in enough of them count for it.
- `pcgu`: units are rows of all weight matrices, chosen anew in every step. Two answers, the true one and a
  contrasting one, give two gradients for each row; where these point apart the most (the lowest cosine), a plain
  gradient step on the answer's raw logit is taken: down for the true answer, or up for the other.
- `sure`: rows again, anew in every step, by how long the gradient of the forget loss is in each. The change is an
  ordinary step of `grad-diff`, with a learning rate that would wreck the model if all rows took it.
- `wagle`: units are single weights, scored once, before unlearning, by $|\theta_i - \partial_i L_r / \gamma|$ times the
  forget gradient: what matters to the forget set, less what the rest would lose. The change is `grad-diff`'s.
- `grin`: single weights, scored by the forget gradient's size over the retain gradient's; noise goes to the chosen ones
  before they are trained.
- `salun`: single weights, scored by the size of the forget gradient alone. The change is relabeling: another pair's
  answer to each forget prompt.
- `sparse-fine-tuning`: the score of `salun`, with a thousandth of the weights in place of half of them. The change is
  an ascent held by the divergence from what the model said before, on retain answers.
- `memflex`: whole tensors, scored once by two gradients: a tensor counts where the forget set's is large and points
  elsewhere than the retain set's. The change is `grad-diff`'s.
- `loku`: units are directions, a few for each matrix: the part of it that weighs most in the rows whose Fisher
  information is higher on the forget set. That part becomes a low-rank adapter and learns by the loss of `ihl`.
- `vila`: `loku` with another measure, the variance of gradients in place of their mean square, taken of the factors of
  random adapters, so that no gradient of a whole matrix is needed.
- `ssd`: single weights, and nothing is trained. Where the Fisher information of the forget set is many times that of
  the retain set, the weight is turned down by their quotient.
- `slug`: whole matrices, scored once by how long the forget gradient is for the matrix's size and how little it points
  along the retain gradient. One of them is moved along that gradient, once, and nothing else.
- `selective-pruning`: neurons of the MLPs, as in `depn`, with no gradient at all. A neuron's score is how much it does
  while the forget set is read, divided by how much it does with the retain set; the highest are silenced.
- `manu`: `selective-pruning` with the sum of several such quotients, of how much a neuron does, how often, how unevenly
  and how strongly; made for models that see pictures as well, where each side is scored by itself.
- `llm-eraser`: neurons of the MLPs, by the weights times the gradients of the two sets' losses: those that the retain
  set can spare and the forget set cannot are silenced, and all other weights are trained on what is to stay.
- `balanced-subnet`: single weights of the MLPs, by scores that are themselves trained, with the loss of `grad-diff`;
  the lowest are set to 0. No other method here learns what to take out.
- `flu`: whole MLPs, chosen by depth: the early ones, where facts are looked up, whatever the answer's gradient says.
  The change is training with an ascent that ends, `away_loss`.
- `selective-amnesia`: whole MLPs again, found by blurring the subject's name and restoring what one window of blocks
  wrote there. The change is `grad-diff`'s, with a retain weight that rises with the retain loss, between bounds.
- `kunbr`: groups of whole layers, all but the last, with no score in the code that was released. What each becomes is
  trained in the model as it was before, where no other layer hides the answers yet.
- `seuf`: experts of a mixture, scored by how much of the forget set a router sends them. The change is `npo`'s, in the
  best of them and its router, which is held to it; all others stay.
- `gradient-routing`: neurons again, and nothing is found. They are set aside before training, which lets what may have
  to be forgotten reach the MLPs' weights through them alone; then they are silenced.
- `sgtm`: the same, with the gradients of weights masked in place of those of activations, so that nothing before the
  neurons learns either; and what stays is now and then read without them.

So `depn` asks where the answer comes from, `pcgu` what tells two answers apart, and the others what the forget set
pulls at: `sure` and `salun` without a look at the rest, `wagle`, `ssd`, `memflex`, `slug`, `loku` and `vila`
held against it. `selective-pruning` and `manu` ask what is busy, whatever that does to the answer. Where
training goes on in a mask, it is the update that is masked: momentum and weight decay would move what has no gradient.
`rmu` and the editing methods also touch few weights, but choose them in advance, by layer.

## Read first

`depn`: attribution in one formula, and its effect is easy to look at.

## What to expect

The place can be found: as many neurons of the same layers, drawn by lot, do less. But neither score asks what else a
unit is for. On `authors`, where what stays are facts of the same kind about other people, `depn` takes the retain
answers along nearly as far as the forget answers: few neurons leave the fact, many take its neighbours with it.
`pcgu` keeps more and forgets less; in all rows instead of a share of them, steps a tenth as long wreck the model.
There is no retain term in either, and no bound on the logits that `pcgu` moves. `sure` and `wagle` have one, and go the
way of their base, `grad-diff`, in fewer weights; `ssd` has only its threshold.

`depn` costs passes forward and back for each point of its sum, in each layer, once; afterwards, setting a few columns
to 0; `selective-pruning` needs passes forward alone. `pcgu` needs two gradients in every step, and keeps no optimiser's
state. `ssd` needs one pass forward and back for every single answer, and is done. `sure` and `wagle` cost what
`grad-diff` does, and a copy of the held weights.
"""
