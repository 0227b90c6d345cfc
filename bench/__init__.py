"""The benchmark: what Crossfade costs beside the alternatives, measured in one session on the same stores."""
