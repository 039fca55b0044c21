"""An emulated 64-bit ARM: Debian's Python with NumPy and llvmlite, unpacked into a folder and run by qemu's user-mode emulation.

Nothing of the system is changed: apt works on lists and an archive of its own (it checks Debian's signature and the digest of every
package), pip installs into a folder (and checks the digests of its index). Libraries have the versions that are installed here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE, PYTHON = "bookworm", "3.11"
PACKAGES = f"python{PYTHON}", "libstdc++6"
MIRROR, KEYRING = "http://deb.debian.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "numpy", "llvmlite"
WHEELS = "manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64"
MISSING = {
    "qemu-aarch64-static": "it runs the programs of another processor: apt-get install qemu-user-static",
    "apt-get": "Debian's packages are fetched with it: this command needs Debian, or a system made from it",
    "dpkg": "Debian's packages are unpacked with it: this command needs Debian, or a system made from it",
}
APT = """\
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::parts "{folder}/none";
"""


class Emulator:
    """The emulated machine in a folder; it is built when it is first needed, and again when a library here has another version."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.packages = folder, folder / "packages"
        for name, use in MISSING.items():
            if shutil.which(name) is None:
                raise SystemExit(f"there is no {name}; {use}")
        self.versions = {"debian": RELEASE, **{name: version(name) for name in LIBRARIES}}
        if not self.is_complete():
            self.build()

    def is_complete(self) -> bool:
        """Whether a build came to its end, with these versions."""
        mark = self.folder / "versions.json"
        return mark.is_file() and json.loads(mark.read_text()) == self.versions

    def build(self) -> None:
        """Fetch and unpack everything: some 90 MB."""
        shutil.rmtree(self.folder, ignore_errors=True)
        apt = self.folder / "apt"
        for name in ("lists/partial", "archives/partial", "none"):
            (apt / name).mkdir(parents=True)
        (apt / "status").touch()
        (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {RELEASE} main\n")
        (apt / "apt.conf").write_text(APT.format(folder=apt))
        fetch = ["apt-get", "-c", str(apt / "apt.conf"), "--quiet"]
        call([*fetch, "update", "--error-on=any"], "Debian's list of packages cannot be fetched")
        call([*fetch, "install", "--yes", "--download-only", "--no-install-recommends", *PACKAGES], "Debian's packages cannot be fetched")
        for package in sorted((apt / "archives").glob("*.deb")):
            call(["dpkg", "-x", str(package), str(self.folder / "root")], "a package of Debian cannot be unpacked")
        platforms = [word for name in WHEELS for word in ("--platform", name)]
        call([sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--target", str(self.packages), *platforms,
              "--python-version", PYTHON, "--only-binary=:all:", *(f"{name}=={self.versions[name]}" for name in LIBRARIES)],
             "the libraries for ARM cannot be fetched")
        (self.folder / "versions.json").write_text(json.dumps(self.versions))

    def python(self, arguments: Sequence[str], cache: Path) -> int:
        """Run Python on the emulated machine with slopes' sources; returns the exit status."""
        paths = os.pathsep.join(map(str, (ROOT / "src", ROOT, self.packages)))
        root = self.folder / "root"
        command = ["qemu-aarch64-static", "-cpu", "max", "-L", str(root), str(root / "usr/bin" / f"python{PYTHON}")]
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "SLOPES_CACHE": str(cache), "SLOPES_CPU": "host"}
        return subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=False).returncode


def call(command: Sequence[str], problem: str) -> None:
    """Run a command; SystemExit with its last words when it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        words = "\n".join(f"  {line}" for line in result.stdout.splitlines()[-5:])
        raise SystemExit(f"{problem} (is there a network?): {' '.join(command[:2])} ended with status {result.returncode}\n{words}")
