"""The Crossfade client: collections of documents that stay reachable while their store changes."""
