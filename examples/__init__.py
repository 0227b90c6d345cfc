"""The seed application: what Auth0 Extend keeps in its store, on the Crossfade client.

Four small stores (webtasks, webtask storage, cron jobs, modules). None of them knows, or could tell, which
database answers: the same code runs in every stage of the migration.
"""
