"""The rules by which a query is read, for the site's scripts: those of Python, handed over as data.

``site/assets/js/query.js`` applies them. Nothing of what an id, an address or a word that says nothing looks like is
written there.
"""

from __future__ import annotations

from typing import Any

from catalog.model import pasted, registries
from catalog.outputs import spellings
from catalog.outputs.answers.finding import FEW, GUESSED, MOST


def query_rules() -> dict[str, Any]:
    """What the scripts need, ready for JSON."""
    return {
        "dois": [[rule.key, rule.pattern] for rule in registries.DOI_RULES],
        "encoded": pasted.ENCODED,
        "entry": pasted.ENTRY,
        "edges": registries.EDGES,
        "exactCase": [key for key, registry in registries.REGISTRIES.items() if registry.tells_case],
        "few": FEW,
        "field": pasted.FIELD,
        "guessed": GUESSED,
        "ids": [[rule.key, rule.pattern, rule.before] for rule in registries.RULES],
        "insideAddress": pasted.INSIDE_ADDRESS,
        "joined": spellings.MOST_JOINED,
        "link": pasted.LINK_FORM,
        "longest": registries.LONGEST,
        "loose": pasted.LOOSE,
        "looseAddress": pasted.LOOSE_ADDRESS,
        "most": MOST,
        "nouns": {key: registry.noun for key, registry in registries.REGISTRIES.items()},
        "percent": registries.PERCENT,
        "prefixed": pasted.PREFIXED,
        "several": pasted.SEVERAL,
        "spaces": registries.SPACES,
        "uncounted": {key: registry.uncounted for key, registry in registries.REGISTRIES.items() if registry.uncounted},
        "stop": " ".join(sorted(spellings.STOP_WORDS)),
    }
