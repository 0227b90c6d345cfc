"""`crossfade backfill COLLECTION --export DIR`, also `python -m proxy export COLLECTION --to DIR`: writes a
collection as files for DynamoDB's import from S3. With `--adopt DIR` it brings an imported table up to date.

It reads what a proxy reads: CROSSFADE_COLLECTIONS, CROSSFADE_MONGODB_URI and the others of docs/settings.md.

Exit codes: 0 all is well, 1 something is left to mend, 2 the command line, the settings or the directory are
wrong, 3 a store was not reached or refused.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.config import ConfigError, ProxyConfig, load_config
from proxy.core.errors import CrossfadeError
from proxy.core.flag import Job
from proxy.core.manifest import ExportFile, Manifest

WELL, LEFT, WRONG, UNREACHABLE = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None, prog: str = "crossfade backfill") -> int:
    """One export or adoption, from the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("collection")
    task = parser.add_mutually_exclusive_group(required=True)
    about = "write the files there"
    task.add_argument("--to", "--export", dest="to", type=Path, metavar="DIR", help=about)
    about = "bring the table up to date that was imported from there"
    task.add_argument("--adopt", type=Path, metavar="DIR", help=about)


def run(options: argparse.Namespace) -> int:
    """Export or adopt, and say what came of it; the exit code."""
    try:
        config = load_config()
        if options.adopt:
            return _tell_adopted(asyncio.run(_adopt(config, options.collection, options.adopt)))
        return _tell_exported(asyncio.run(_export(config, options.collection, options.to)), options.to)
    except (ConfigError, OSError, ValueError) as error:
        return _complain(WRONG, str(error))
    except CrossfadeError as error:
        return _complain(UNREACHABLE, error.message)


async def _export(config: ProxyConfig, name: str, directory: Path) -> Manifest:
    from proxy.cluster import open_site  # here, so that `plan` needs no driver
    from proxy.reconcile.exporting import export
    from proxy.stores.dynamo.files import ExportFolder, has_local_indexes

    async with open_site(config, name) as (site, outlook):
        if has_local_indexes(site.collection):
            _say(f"note: DynamoDB's import makes no local indexes, and {name} has some: see docs/large.md")
        folder = await asyncio.to_thread(ExportFolder, directory, site.collection)
        return await export(site, outlook, folder, _tell_file)


async def _adopt(config: ProxyConfig, name: str, directory: Path) -> Job:
    from proxy.cluster import open_site
    from proxy.core.manifest import read_manifest
    from proxy.reconcile.exporting import adopt

    text = await asyncio.to_thread((directory / "manifest.json").read_text)
    async with open_site(config, name) as (site, outlook):
        return await adopt(site, outlook, read_manifest(text))


def _tell_file(file: ExportFile) -> None:
    _say(f"{file.name}: {file.items:,} items, {file.bytes / 2**20:,.1f} MB before gzip")


def _tell_exported(manifest: Manifest, directory: Path) -> int:
    print(f"{manifest.items:,} items of {manifest.namespace} are in {directory / 'data'}")
    if manifest.refused:
        print(f"{manifest.refused:,} documents do not fit into DynamoDB: see {directory / 'refused'}")
    return LEFT if manifest.refused else WELL


def _tell_adopted(job: Job) -> int:
    counts = ", ".join(f"{name} {number:,}" for name, number in job.counts.items() if number)
    print(f"{job.collection} is up to date: {counts}")
    return LEFT if job.counts.get("quarantined") else WELL


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _complain(code: int, *sentences: str) -> int:
    for sentence in sentences:
        _say(f"export: {sentence}")
    return code
