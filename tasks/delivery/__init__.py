"""A delivery from its claim to its finish."""
