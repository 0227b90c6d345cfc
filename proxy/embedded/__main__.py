"""Run both stores in the foreground: one line of JSON with their addresses, then until a signal.

    python -m proxy.embedded [--mongodb-port PORT] [--dynamodb-port PORT]

Exits 1 with one sentence when a part is missing.
"""

import argparse
import asyncio
import json
import signal
import sys

from proxy.embedded.missing import MissingPart
from proxy.embedded.stores import Ports, Stores, open_stores


def main() -> int:
    try:
        asyncio.run(_serve(_ports()))
    except MissingPart as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


async def _serve(ports: Ports) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with open_stores(ports=ports) as stores:
        print(json.dumps(_as_json(stores)), flush=True)
        await stopped.wait()


def _as_json(stores: Stores) -> dict[str, str]:
    return {
        "mongodb_uri": stores.mongodb.address,
        "mongodb_origin": stores.mongodb.origin.value,
        "dynamodb_endpoint": stores.dynamodb.address,
        "dynamodb_origin": stores.dynamodb.origin.value,
    }


def _ports() -> Ports:
    parser = argparse.ArgumentParser(
        prog="python -m proxy.embedded",
        description="MongoDB and DynamoDB for development, until Ctrl+C.",
    )
    parser.add_argument("--mongodb-port", type=int, help="a free one unless given")
    parser.add_argument("--dynamodb-port", type=int, help="a free one unless given")
    arguments = parser.parse_args()
    return Ports(arguments.mongodb_port, arguments.dynamodb_port)


if __name__ == "__main__":
    sys.exit(main())
