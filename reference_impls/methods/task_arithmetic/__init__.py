"""Task arithmetic."""
