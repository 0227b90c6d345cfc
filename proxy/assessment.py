"""`crossfade assess`, also `python -m proxy assess`: reads a MongoDB, and says whether and how it can move.

Exit codes: 0 every collection can move as it is, 1 something must change first, 2 the command line or a file
is wrong, 3 MongoDB was not reached or refused to be read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from proxy.assess.assessor import Assessor, Wish
from proxy.assess.markdown import as_markdown
from proxy.assess.page import as_page
from proxy.assess.plain import as_plain
from proxy.assess.prices import PriceError, Prices, read_prices
from proxy.assess.report import Report
from proxy.config import ConfigError, load_config
from proxy.core.errors import CrossfadeError

READY, CHANGES, WRONG, UNREACHABLE = 0, 1, 2, 3
PREFERENCES = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")


def main(arguments: Sequence[str] | None = None, prog: str = "crossfade assess") -> int:
    """One assessment, from the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("uri", nargs="?", help="mongodb://...; CROSSFADE_MONGODB_URI if left out")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="a database, or database.collection; repeat it",
    )
    parser.add_argument(
        "--sample", type=_number, metavar="N", help="read about N documents a collection, not all"
    )
    parser.add_argument(
        "--seconds",
        type=_number,
        metavar="N",
        help="stop reading a collection after so many seconds of the server's",
    )
    parser.add_argument(
        "--read-preference", choices=PREFERENCES, help="secondaryPreferred, or what the URI says"
    )
    parser.add_argument("--prices", metavar="FILE", help="a table of prices of your own (TOML)")
    parser.add_argument("--html", metavar="FILE", help="write the report with its charts")
    parser.add_argument(
        "--markdown", metavar="FILE", help="write the report as Markdown, which else is printed"
    )
    parser.add_argument(
        "--collections-to", metavar="FILE", help="write the collections file that is proposed"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Assess, then write and print what was asked for; the exit code."""
    try:
        prices = _prices(options.prices)
        report = asyncio.run(_assess(options, prices))
        _write(options, report)
    except (ConfigError, PriceError, OSError) as error:
        return _complain(WRONG, str(error))
    except CrossfadeError as error:
        return _complain(UNREACHABLE, str(error))
    print(_printed(options, report), end="")
    return READY if report.is_ready else CHANGES


async def _assess(options: argparse.Namespace, prices: Prices) -> Report:
    from proxy.stores.dynamo.weighing import Scales  # here, so that `plan` needs no driver
    from proxy.stores.mongo.survey import MongoSurvey, ReadingLimits

    config = load_config()
    limits = ReadingLimits(scan=options.seconds)
    survey = MongoSurvey.open(
        options.uri or config.mongodb_uri,
        limits,
        control=config.control_database,
        preference=options.read_preference,
    )
    async with survey:
        wish = Wish(tuple(options.only), options.sample)
        tell = _silent if options.quiet else _tell
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return await Assessor(survey, Scales, prices, wish, tell).run(now)


def _prices(path: str | None) -> Prices:
    own = files("proxy.assess").joinpath("prices.toml")
    return read_prices(Path(path).read_text() if path else own.read_text())


def _write(options: argparse.Namespace, report: Report) -> None:
    if options.html:
        Path(options.html).write_text(as_page(report))
    if options.markdown:
        Path(options.markdown).write_text(as_markdown(report))
    if options.collections_to:
        Path(options.collections_to).write_text(report.declarations)


def _printed(options: argparse.Namespace, report: Report) -> str:
    if options.json:
        return json.dumps(as_plain(report), indent=2) + "\n"
    if options.html or options.markdown or options.collections_to:
        return "".join(f"{each.facts.namespace}: {each.verdict.value}\n" for each in report.collections)
    return as_markdown(report)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _tell(line: str) -> None:
    print(f"reading {line}", file=sys.stderr)


def _silent(line: str) -> None: ...


def _complain(code: int, *sentences: str) -> int:
    for sentence in sentences:
        print(f"assess: {sentence}", file=sys.stderr)
    return code
