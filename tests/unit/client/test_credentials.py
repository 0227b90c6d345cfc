"""The token and the certificates that a client shows, from arguments, the environment and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade import tls_credentials
from crossfade.cli import main
from crossfade.cli.arguments import parse
from crossfade.cli.credentials import WrongCredentials, credentials_of, token_of
from crossfade.credentials import bearer
from tests.fixtures.authority import Authority


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "TOKEN_FILE", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"CROSSFADE_{name}", raising=False)


def test_a_token_is_shown_as_a_header() -> None:
    assert bearer("abc.def") == (("authorization", "Bearer abc.def"),)
    assert bearer(None) == bearer("") == ()


@pytest.mark.parametrize("token", ["a b", "a\nb", "é", "a\r\nx-crossfade-actor: root"])
def test_what_cannot_be_a_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="characters") as caught:
        bearer(token)
    assert token not in str(caught.value)


def test_the_token_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    assert token_of(parse(["status"])) is None
    assert token_of(parse(["status", "--token-file", str(file)])) == "of-the-file"
    monkeypatch.setenv("CROSSFADE_TOKEN_FILE", str(file))
    assert token_of(parse(["status"])) == "of-the-file"
    monkeypatch.setenv("CROSSFADE_TOKEN", "of-the-environment")
    assert token_of(parse(["status"])) == "of-the-environment"


def test_there_is_no_flag_for_the_token_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["status", "--token", "secret"])
    assert "unrecognized arguments: --token" in capsys.readouterr().err


def test_tls_is_used_where_one_of_its_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("me")
    assert credentials_of(parse(["status"])) is None
    assert credentials_of(parse(["status", "--tls"])) is not None
    monkeypatch.setenv("CROSSFADE_CA", str(authority.file))
    assert credentials_of(parse(["status", "--cert", str(cert), "--key", str(key)])) is not None
    with pytest.raises(WrongCredentials, match="needs its key"):
        credentials_of(parse(["status", "--cert", str(cert)]))


def test_files_that_cannot_be_read_are_a_wrong_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--ca", str(tmp_path / "nowhere")]) == 2
    assert main(["status", "--token-file", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("nowhere") == 2
    with pytest.raises(ValueError, match="needs its key"):
        tls_credentials(cert="a")
