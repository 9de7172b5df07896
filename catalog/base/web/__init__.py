"""The one way to the network: patient, polite, bounded, and closed towards this machine and its neighbours.

What other programs answer is untrusted. A request has timeouts and a deadline for all of it, an answer a size, a chain
of redirects a length; a redirect leads to http(s) on public addresses only, however the name resolves. Hosts are asked
at their own pace, ``Retry-After`` is obeyed by all who ask that host, and answers are kept on disk for a while.

Addresses are always the real ones. ``CATALOG_MIRRORS`` says where to fetch some of them instead, which is how the tests
run without a network: ``https://arxiv.org=http://127.0.0.1:8000/arxiv https://doi.org=http://127.0.0.1:8000/doi``.
Only origins that were named so may be private ones.
"""

from catalog.base.web.answer import Answer
from catalog.base.web.client import AGENT, BUSY, REDIRECTS, TOO_OFTEN, Web, retry_after
from catalog.base.web.errors import Kind, WebError
from catalog.base.web.settings import Settings

__all__ = ["AGENT", "BUSY", "REDIRECTS", "TOO_OFTEN", "Answer", "Kind", "Settings", "Web", "WebError", "retry_after"]
