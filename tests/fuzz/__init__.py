"""Fuzzing: what clients may send, and what they may not, against both real stores."""
