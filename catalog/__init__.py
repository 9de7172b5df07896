"""The catalog: records of LLM-unlearning papers, compiled into a database, a README, a site and exports.

Data flows one way::

    papers/*.yaml -> load -> schema -> check -> Catalog -> database | readme | site | export | search | stats

Nothing here imports torch, nor anything of ``reference_impls``: the running half is read as data
(:mod:`catalog.model.implementations`, :mod:`catalog.model.results`).
"""

__version__ = "0.1.0"
