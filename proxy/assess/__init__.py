"""Whether and how collections of a live MongoDB can move to DynamoDB, decided purely from what was read."""
