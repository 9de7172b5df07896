"""Unlearning methods: one folder per family, one file per method, and nothing in a file but the method.

Families differ in what they touch; each method's class says it as ``acts_on``.

| Folder | What it touches | How it makes a model forget |
|---|---|---|
| ``gradient_ascent`` | loss | raises it on the forget set, and holds the rest |
| ``preference_optimization`` | loss | makes forget answers the losing half of a preference |
| ``distillation`` | loss | matches, or keeps a distance from, a teacher's distributions |
| ``optimization`` | loss, gradients | finds the balance of forgetting and keeping while training |
| ``second_order`` | gradients | divides each weight's step by the curvature |
| ``relabeling`` | data | teaches other answers to the same prompts |
| ``data_centric`` | data | chooses which examples are forgotten and kept, and when |
| ``reinforcement`` | data, loss | rewards the model's own samples for being unlike the truth |
| ``task_arithmetic`` | weights | subtracts what learning the forget set adds |
| ``model_editing`` | weights of few layers | writes other values at the subjects' keys, or bounds each step |
| ``localization`` | few weights, by a score | silences or moves those that hold the answer |
| ``representation`` | activations | leads hidden states elsewhere |
| ``modular`` | modules beside the model | retrains, or trains, the part that has to forget |
| ``in_context`` | prompt | contradicts the answer before it is asked for, or learns what to put there |
| ``inference_time`` | prompt, decoding | stops questions at a gate, or corrects what is expected next |

A folder's ``__init__.py`` is the family's page: what its methods share, how each differs from its predecessor, which to
read first, what to expect. A new method adds its line there. Whoever reads for the first time begins with
``gradient_ascent/gradient_ascent.py`` and ``preference_optimization/npo.py``.
"""
