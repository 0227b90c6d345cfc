"""What moves documents without a client: the feed's follower, backfill, verify and repair."""
