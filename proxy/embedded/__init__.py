"""Real stores as child processes on free ports: a mongod replica set and DynamoDB Local, no Docker.

For tests, the demo and playing; the proxy itself never imports this package. It alone, outside
`proxy.stores`, talks to MongoDB (to initiate a replica set and to check a given one), and it alone reads the
addresses of given stores from the environment (`proxy.embedded.addresses`).
"""
