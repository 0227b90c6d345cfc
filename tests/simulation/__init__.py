"""The real flow, reconcile and cutover code on stores in memory, in virtual time, under a seeded scheduler."""
