"""The Content-Security-Policy that the finished pages keep, as a file of headers for the server.

Pages load from their own site alone. The theme has a few short scripts in its pages; they are allowed by their
hashes, which are worked out here, and no other script in a page runs. There is no style in any page.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from catalog.outputs.site.asking import ASKED

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
"""One that runs and stands in the page: data has a type, and what is loaded has an address."""


def policy(out: Path) -> str:
    """The policy for the site in ``out``; where pages ask models, what computes them may be compiled."""
    scripts = {script for page in out.rglob("*.html") for script in _SCRIPT.findall(page.read_text(encoding="utf-8"))}
    hashes = sorted(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    compiled = ["'wasm-unsafe-eval'"] if (out / ASKED).is_dir() else []
    parts = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", *compiled, *(f"'sha256-{digest}'" for digest in hashes)]),
        "img-src": "'self' data:",  # the theme's icons are in its style sheets
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def write_headers(out: Path) -> None:
    """Write ``_headers``, which Netlify, Cloudflare Pages and others apply; other servers need a copy of it."""
    lines = [
        "/*",
        f"  Content-Security-Policy: {policy(out)}",
        "  Referrer-Policy: no-referrer",
        "  X-Content-Type-Options: nosniff",
    ]
    (out / "_headers").write_text("\n".join(lines) + "\n", encoding="utf-8")
