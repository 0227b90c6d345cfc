"""What the command line looks like."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Any

from crossfade.cli.completion import SHELLS, collections, complete, one_of
from crossfade.cli.delegation import DELEGATED
from crossfade.moves import MOVE_TIMEOUT
from crossfade.terms import DivergenceKind, DivergenceState, Stage
from crossfade.transport import DEFAULT_ADDRESS

_EPILOG = """\
exit status: 0 all is well, 1 refused, not safe or not clean, 2 wrong command line, 3 no proxy reached
environment: CROSSFADE_ADDRESS is the proxy's host:port (several with commas between);
  CROSSFADE_TOKEN, or a file named by CROSSFADE_TOKEN_FILE, says who calls;
  CROSSFADE_CA, CROSSFADE_CERT, CROSSFADE_KEY: see --ca, --cert and --key
"""

_WATCH = 2.0
"""Seconds between two looks."""

_SAMPLE = 0.01
"""The share of the documents that a sample compares."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; exits with status 2 if they are wrong. `argv` None means the process's own."""
    parser = argparse.ArgumentParser(
        prog="crossfade",
        description="See and steer the migration of collections from MongoDB to DynamoDB.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (purpose, _) in DELEGATED.items():
        commands.add_parser(name, help=purpose, add_help=False)
    _add_status(commands)
    _add_backfill(commands)
    _add_verify(commands)
    _add_repair(commands)
    _add_explain(commands)
    _add_quarantine(commands)
    _add_jobs(commands)
    _add_move(commands, "cutover", "make DynamoDB the primary")
    _add_move(commands, "rollback", "make MongoDB the primary again")
    _add_rehearse(commands)
    _add_finish(commands)
    _add_stage(commands)
    _add_abort(commands)
    _add_divergences(commands)
    _add_replicas(commands)
    _add_audit(commands)
    _add_completion(commands)
    complete(parser)
    words = sys.argv[1:] if argv is None else list(argv)
    if words and words[0] in DELEGATED:  # whose options are not known here
        return argparse.Namespace(command=words[0], words=words[1:])
    arguments = parser.parse_args(words)
    if arguments.command == "backfill" and (arguments.export or arguments.adopt):
        return argparse.Namespace(command="export", words=words[1:])
    return arguments


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "status", "how the migration of all collections, or of one, stands")
    _add_collection(command, nargs="?", help="tell all about this one")
    _add_watch(command)


def _add_backfill(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_job(commands, "backfill", "copy what was there before the mirror was")
    about = "write files for DynamoDB's import from S3 instead, of a very large collection"
    command.add_argument("--export", metavar="DIR", help=about)
    about = "bring the table up to date that was imported from an export"
    command.add_argument("--adopt", metavar="DIR", help=about)


def _add_job(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, purpose: str
) -> argparse.ArgumentParser:
    command = _add(commands, name, purpose)
    command.description = (
        f"{purpose.capitalize()}, while clients go on. Goes on with a paused run, or joins in one under way."
    )
    _add_collection(command)
    command.add_argument(
        "--wait", action="store_true", help="until it is done; exits 1 if it left something to mend"
    )
    verbs = command.add_mutually_exclusive_group()
    verbs.add_argument("--pause", action="store_true", help="have all workers stop where they are")
    verbs.add_argument("--resume", action="store_true", help="go on with a paused run, or change nothing")
    verbs.add_argument("--anew", action="store_true", help="from the start, even if a run was paused")
    command.add_argument(
        "--max-rate", type=float, metavar="N", help="documents a second, of all workers together; 0 lifts it"
    )
    command.add_argument(
        "--max-wcu", type=float, metavar="N", help="write units a second, of all workers together; 0 lifts it"
    )
    command.add_argument("--reason", default="", help="why, for the audit record")
    command.set_defaults(sample=None)
    return command


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_job(commands, "verify", "compare both stores completely")
    command.add_argument(
        "--sample",
        type=_share,
        nargs="?",
        const=_SAMPLE,
        metavar="SHARE",
        help="only so many of the documents (1%%, or 0.01): quick, and no gate takes it for a verify",
    )


def _add_repair(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "repair", "mend what differs from what the primary holds, and compare again")
    command.description = "Mend divergences: the primary is read anew, and only what both agree on is closed."
    _add_collection(command)
    command.add_argument("divergence", nargs="*", help="only these, by their ids (all that are not closed)")
    command.add_argument("--last-verify", action="store_true", help="only what the last verify has found")
    _add_named(command, "--kind", DivergenceKind, type=_kind)


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "explain", "what may have happened where the stores differ")
    _add_collection(command)
    command.add_argument("divergence", help="its id, as `crossfade divergences` shows it")


def _add_quarantine(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "quarantine", "documents that the mirror cannot hold, and why")
    _add_collection(command)
    command.add_argument("--limit", type=int, default=100, help="at most so many (100)")


def _add_jobs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "jobs", "backfills and verifies: how far, how fast, what they found")
    _add_collection(command, nargs="?", default="", help="only of this collection")
    _add_watch(command)


def _add_completion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "completion", "what your shell reads to complete this command")
    command.description = 'For bash or zsh: eval "$(crossfade completion bash)"; for fish: ... fish | source'
    command.add_argument("shell", choices=SHELLS)


def _add_collection(command: argparse.ArgumentParser, name: str = "collection", **options: Any) -> None:
    """A collection, which the shell completes by asking the proxy."""
    action = command.add_argument(name, **options)
    action.completer = collections  # type: ignore[attr-defined]


def _add_named(command: argparse.ArgumentParser, name: str, kind: type[Enum], **options: Any) -> None:
    """One of the names of an enum, which the shell completes."""
    names = [one.name for one in kind]
    action = command.add_argument(name, help=", ".join(names), **options)
    action.completer = one_of(names)  # type: ignore[attr-defined]


def _add_watch(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--watch",
        type=_duration,
        nargs="?",
        const=_WATCH,
        metavar="TIME",
        help="look again every 2s, or so often, until Ctrl+C",
    )


def _add_stage(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_move(commands, "stage", "move a collection to a neighbouring stage")
    _add_named(command, "stage", Stage, type=_stage, metavar="STAGE")
    _add_yes(command)


def _add_move(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, purpose: str
) -> argparse.ArgumentParser:
    command = _add(commands, name, purpose)
    command.description = f"{purpose.capitalize()}, after checks; --dry-run only shows them."
    _add_collection(command)
    command.add_argument("--dry-run", action="store_true", help="only check whether it is safe")
    command.add_argument("--reason", default="", help="why, for the audit record")
    command.add_argument("--override", action="store_true", help="go on although checks fail; needs a reason")
    command.add_argument("--epoch", type=int, help="only if the collection is still at this epoch")
    command.set_defaults(timeout=MOVE_TIMEOUT)
    return command


def _add_rehearse(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_move(commands, "rehearse", "cut over, go back after a time, and report")
    command.add_argument(
        "--for", dest="seconds", type=_duration, required=True, metavar="TIME", help="90, 90s, 5m or 1h"
    )
    command.add_argument(
        "--no-wait",
        dest="wait",
        action="store_false",
        help="do not wait for the way back, which comes anyway",
    )
    command.set_defaults(wait=True)


def _add_finish(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_move(commands, "finish", "leave MongoDB for good")
    command.description = "From DYNAMO_PRIMARY to DYNAMO_ONLY, after checks. There is no way back."
    _add_yes(command)


def _add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--yes", action="store_true", help="do not ask for the collection's name before DYNAMO_ONLY"
    )


def _add_abort(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "abort", "end a running change of stage, or a rehearsal")
    command.description = "Publish the old stage again, or have a rehearsal go back now."
    _add_collection(command)
    command.add_argument("--reason", required=True, help="why, for the audit record")


def _add_audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "audit", "who changed what, when and why")
    _add_collection(command, nargs="?", default="", help="only of this collection")
    command.add_argument("--limit", type=int, default=20, help="at most so many (20)")


def _add_divergences(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "divergences", "the latest recorded differences between the stores")
    _add_collection(command, "--collection", default="", help="only of this collection")
    _add_named(command, "--kind", DivergenceKind, type=_kind)
    _add_named(command, "--state", DivergenceState, type=_state)
    command.add_argument("--limit", type=int, default=20, help="at most so many (20)")


def _add_replicas(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "replicas", "the proxy's processes, and the epochs that they act upon")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, purpose: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=f"Show {purpose}.", allow_abbrev=False)
    command.add_argument(
        "--address",
        default=os.environ.get("CROSSFADE_ADDRESS") or DEFAULT_ADDRESS,
        help=f"the proxy's host:port (CROSSFADE_ADDRESS, else {DEFAULT_ADDRESS})",
    )
    _add_credentials(command)
    command.add_argument("--json", action="store_true", help="print JSON for scripts")
    command.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="of each call")
    command.add_argument(
        "--actor", default=_user(), help="on whose behalf, for the audit record (the user of this machine)"
    )
    command.set_defaults(wait=False, watch=None)
    return command


def _add_credentials(command: argparse.ArgumentParser) -> None:
    """Files alone: what is on a command line can be read by everybody on the machine."""
    for name, about in (
        ("token-file", "the file of the token that says who calls"),
        ("ca", "the file of the authorities (PEM) by which the proxy is known; the connection is then TLS"),
        ("cert", "the file of the client's own certificate (PEM)"),
        ("key", "the file of that certificate's key (PEM)"),
    ):
        variable = f"CROSSFADE_{name.upper().replace('-', '_')}"
        default = os.environ.get(variable) or None
        command.add_argument(f"--{name}", metavar="FILE", default=default, help=f"{about} ({variable})")
    command.add_argument(
        "--tls", action="store_true", help="TLS with the system's authorities, where --ca names none"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return str(os.getuid())


def _duration(text: str) -> float:
    """Seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 90, 90s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def _share(text: str) -> float:
    """A share of more than 0 and at most 1."""
    number, percent = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        share = float(number) / percent
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share like 1% or 0.01")
    return share


def _stage(text: str) -> Stage:
    return Stage[_name(text, [stage.name for stage in Stage])]


def _kind(text: str) -> DivergenceKind:
    return DivergenceKind[_name(text, [kind.name for kind in DivergenceKind])]


def _state(text: str) -> DivergenceState:
    return DivergenceState[_name(text, [state.name for state in DivergenceState])]


def _name(text: str, names: Sequence[str]) -> str:
    """A name in any case, with dashes or underscores."""
    name = text.upper().replace("-", "_")
    if name not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
    return name
