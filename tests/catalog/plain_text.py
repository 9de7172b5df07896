"""What plain text may hold, to draw examples from."""

from __future__ import annotations

from hypothesis import strategies as st

letters = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("äöüéñøłßçåÉβ²–—’“”…北京Жλ")
"""Every printable character of ASCII, and letters of many scripts."""

texts = st.text(letters, min_size=1, max_size=40).map(lambda text: " ".join(text.split())).filter(bool)
"""A line with something on it, and one space between words."""
