"""The adapters: the only rooms where drivers are imported."""
