"""Decisions and removals in a terminal: what the operator asks, previews, takes away and gives back."""
