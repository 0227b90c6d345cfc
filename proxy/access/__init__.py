"""Who may come in: tokens, keys and certificates from files and addresses, kept fresh all the time."""
