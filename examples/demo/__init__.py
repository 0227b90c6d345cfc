"""One migration from MongoDB to DynamoDB, back and there again, under live traffic, each write accounted for.

    python -m examples.demo [--json] [--stay]

Two proxy processes on real stores; the traffic is the example application's own code over gRPC. At the end an
independent checker reads both stores directly and compares them with the ledger of acknowledged writes.
"""
