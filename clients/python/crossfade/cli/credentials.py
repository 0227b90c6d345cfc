"""The command line's token and certificates, from the environment and from files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import grpc

from crossfade.credentials import bearer, tls_credentials


class WrongCredentials(Exception):
    """A file cannot be used; the message names it and shows nothing of it."""


def token_of(arguments: argparse.Namespace) -> str | None:
    """The token of CROSSFADE_TOKEN, or of the file that is named. Raises WrongCredentials."""
    token = os.environ.get("CROSSFADE_TOKEN", "").strip()
    if arguments.token_file and not token:
        try:
            token = Path(arguments.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongCredentials(f"the token's file {arguments.token_file} cannot be read") from error
    try:
        bearer(token)
    except ValueError as error:
        raise WrongCredentials(str(error)) from error
    return token or None


def credentials_of(arguments: argparse.Namespace) -> grpc.ChannelCredentials | None:
    """TLS where any of its files is named, or it is asked for. Raises WrongCredentials."""
    if not (arguments.tls or arguments.ca or arguments.cert or arguments.key):
        return None
    try:
        return tls_credentials(ca=arguments.ca, cert=arguments.cert, key=arguments.key)
    except (OSError, ValueError) as error:
        raise WrongCredentials(str(error)) from error
