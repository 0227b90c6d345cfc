"""Protobuf messages to core values and back, strictly: what is not understood is refused, never guessed."""
