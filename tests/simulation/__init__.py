"""The real flow, reconcile and cutover code on memory stores, in virtual time, under a seeded scheduler."""
