"""The README and the lists beside it: every paper on pages that a code host shows.

``sections`` sorts the papers, ``lines`` puts each in one line, ``layout`` says what goes onto which page, ``pages``
renders them, ``drift`` compares them with what is committed.

No line says anything that another paper changes, and every paper has one line on a page: so two branches that each
add a paper merge, and a pull request with a record need not touch what is made from it.
"""

from catalog.outputs.readme.pages import Document, documents

__all__ = ["Document", "documents"]
