"""What the five taps share: everything a sixth one would want too. Knows no vendor."""
