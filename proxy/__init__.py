"""The Crossfade proxy: one gRPC storage service in front of MongoDB and DynamoDB."""
