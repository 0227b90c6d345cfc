"""What the image holds, made without an engine: the Dockerfile's own lines, run in directories of ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", "")
_BUILD_DEADLINE = 900.0  # seconds; a quiet machine needs less than one minute


@dataclass(frozen=True, slots=True)
class Image:
    """The files of the image: what it installs is under `app`."""

    app: Path

    def python(self, *arguments: str) -> list[str]:
        return [str(self.app / "bin" / "python"), *arguments]

    @property
    def entrypoint(self) -> list[str]:
        return [*self._program("ENTRYPOINT"), *_words("CMD")]

    def healthcheck(self, port: int) -> list[str]:
        """The image's own health check, on another port."""
        line = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
        assert line
        words: list[str] = json.loads(line[1])
        assert words[0] == "python" and "127.0.0.1:50051" in words[-1]
        return self.python(*(word.replace("50051", str(port)) for word in words[1:]))

    def _program(self, instruction: str) -> list[str]:
        words = _words(instruction)
        assert words[0] == "python"
        return self.python(*words[1:])


def build(directory: Path) -> Image:
    """Copy what the build stage copies, honouring .dockerignore, and run what it runs."""
    source, app = directory / "src", directory / "app"
    source.mkdir()
    stage = DOCKERFILE.partition("FROM ")[2].partition("FROM ")[0]
    for line in re.findall(r"^COPY (.+)$", stage, re.MULTILINE):
        *copied, target = line.split()
        for name in copied:
            _copy(name, source, target)
    [command] = re.findall(r"^RUN (.+)$", stage, re.MULTILINE)
    ours = command.replace("/app", str(app)).replace("python -m venv", f"{sys.executable} -m venv")
    done = subprocess.run(
        ["sh", "-ec", ours.replace("--no-cache-dir", "--quiet")],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=_BUILD_DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return Image(app)


def _copy(name: str, source: Path, target: str) -> None:
    origin = ROOT / name
    if origin.is_dir():
        shutil.copytree(origin, source / target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(origin, source / Path(target) / origin.name)


def _words(instruction: str) -> list[str]:
    line = re.search(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert line, instruction
    words: list[str] = json.loads(line[1])
    return words
