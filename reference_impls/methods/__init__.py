"""One folder per family, one file per method, and nothing in a file but the method.

| Folder | What is changed | By what |
|---|---|---|
| ``gradient_ascent`` | loss | ascent on the forget set, and what holds it |
| ``preference_optimization`` | loss | forget answers as the losing half of a preference |
| ``distillation`` | loss | divergences from teachers that know, or do not |
| ``relabeling`` | data | other answers to the same prompts |
| ``reinforcement`` | data, loss | rewards for the model's own samples |
| ``optimization`` | how it is minimised | constraints and steps |
| ``task_arithmetic`` | weights | what was learned, subtracted |
| ``model_editing`` | weights of a layer | values at the keys of subjects |
| ``localization`` | few weights or neurons | scores that find them |
| ``representation`` | activations | a direction to go to |
| ``modular`` | modules beside the model | shards, adapters, layers |
| ``in_context`` | prompt | contradicting demonstrations |

A folder's ``__init__.py`` says how its methods relate, and which to read first. Nothing runs yet in three families of
the catalog: guards at inference time, second-order and influence methods, and data-centric ones.
"""
