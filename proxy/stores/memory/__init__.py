"""Both stores and the control store in memory: what the others are tested against."""
