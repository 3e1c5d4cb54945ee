#!/usr/bin/env python3
"""Runs every check: formatting, lint, types, tests. `python3 scripts/check.py [--static]`; needs nothing but Python.

`--static` leaves out the tests. All checks run even where one fails; the exit code is 0 only if none did.
"""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, SetupError, ensure, require_python

STATIC = (
    ("format", ("-m", "ruff", "format", "--check", "--quiet", ".")),
    ("lint", ("-m", "ruff", "check", "--quiet", ".")),
    ("types", ("-m", "mypy")),
)


def main() -> int:
    """Runs the checks; 0 if all passed."""
    try:
        require_python()
        python = ensure(("dev",))
    except SetupError as error:
        print(f"check: {error}", file=sys.stderr)
        return 1
    failed = []
    for name, arguments in STATIC:
        print(f"== {name}", flush=True)
        if subprocess.run([str(python), *arguments], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    if "--static" not in sys.argv[1:]:
        print("== tests", flush=True)
        if subprocess.run([sys.executable, str(ROOT / "scripts" / "test.py")], check=False).returncode != 0:
            failed.append("tests")
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
