"""Records that stay true: sources asked again, links checked, ids moved."""
