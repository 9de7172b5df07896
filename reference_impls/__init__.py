"""The reference implementations: one small file per unlearning method, and all that runs and measures them.

``methods/`` hold what papers say; ``tasks/`` what to forget and keep; :mod:`~reference_impls.toolkit.training` is the
one loop and :mod:`~reference_impls.toolkit.evaluation` the one evaluation. From Python: :mod:`~reference_impls.api`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_impls.api import attack as attack
    from reference_impls.api import audit as audit
    from reference_impls.api import evaluate as evaluate
    from reference_impls.api import load_model as load_model
    from reference_impls.api import load_task as load_task
    from reference_impls.api import unlearn as unlearn

__all__ = ["attack", "audit", "evaluate", "load_model", "load_task", "unlearn"]


def __getattr__(name: str) -> Any:
    """The interface for Python, imported with torch when it is asked for: the command line answers without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from reference_impls import api

    return getattr(api, name)
