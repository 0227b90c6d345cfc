"""The console: one page that answers "is it safe to cut over?", and lets operators act on the answer."""
