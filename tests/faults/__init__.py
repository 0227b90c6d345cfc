"""Proof on real stores: real proxy processes that are killed, stopped and cut off, and nothing is lost."""
