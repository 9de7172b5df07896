"""The static site: the catalog as pages with front matter, turned into HTML by MkDocs with Material.

::

    Catalog -> pages/ (templates/site/*.j2) -> build/site-src/*.md -> MkDocs (site/overrides/) -> build/site/

A page that is text is Markdown (``task.md.j2``). A page that is HTML (``paper.html.j2``) has it in its front matter as
``content``, and names a template of the theme that shows it (``site/overrides/generated.html``). Nothing is hooked into
MkDocs, and nothing in its pages is changed afterwards. So the builder stays replaceable.
"""

from catalog.outputs.site.build import SiteError, build_site, models_of
from catalog.outputs.site.serve import serve_site

__all__ = ["SiteError", "build_site", "models_of", "serve_site"]
