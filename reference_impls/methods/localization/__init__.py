r"""Localization and pruning.

First find the few weights or neurons that hold what is to go, then change those alone. Both methods here score units
by gradients; they differ in the unit, the score and the cut.

## How they relate

- `depn`: neurons of the MLPs. Integrated gradients of the answer's probability say how much each neuron contributes;
  those that most of the texts to forget share are silenced. No training.
- `pcgu`: rows of weight matrices. A pair of answers, the one to forget and another one, gives two gradients for each
  row; rows on which the two *disagree* (lowest cosine) tell the answers apart, and only those take a step.

`rmu` and the editing methods also touch few weights, chosen in advance and not by a score.

## Read first

`depn`: attribution in one formula, and its effect is easy to look at.

## What to expect

Cheap, and small in what changes. Neurons are shared by many facts, so the cut is a trade: few neurons leave the fact,
many take others along. What was found by one phrasing need not be what another uses.
"""
