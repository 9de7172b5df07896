"""The static site: the catalog as Markdown with front matter, turned into HTML by MkDocs with Material.

::

    Catalog -> pages (templates/site/*.md.j2) -> build/site-src/*.md -> MkDocs -> build/site/

Nothing is hooked into MkDocs: what it reads is plain Markdown, and what has to happen afterwards works on the
finished files. So the builder stays replaceable.
"""

from catalog.outputs.site.build import SiteError, build_site
from catalog.outputs.site.serve import serve_site

__all__ = ["SiteError", "build_site", "serve_site"]
