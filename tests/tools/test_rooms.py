"""Who may import whom, for the parts that are no packages: the program, the pack and the examples."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDARD = set(sys.stdlib_module_names)
PACK = ROOT / "policypacks" / "guardrails"


def imported(file: Path) -> set[str]:
    """The first word of every import in a file that does not start with a dot."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).split(".")[0])
    return found - STANDARD


def test_the_program_imports_the_engine_the_components_and_the_contract_only():
    assert imported(ROOT / "__main__.py") == {"pulumi", "components", "stacks"}


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.py")), ids=lambda f: f.name)
def test_examples_need_nothing_but_the_sdk(file):
    assert imported(file) <= {"pulumi"}


@pytest.mark.parametrize("file", sorted(PACK.rglob("*.py")), ids=lambda f: f.name)
def test_the_pack_imports_nothing_of_the_repository(file):
    own = {path.stem for path in PACK.rglob("*.py")} | {path.name for path in PACK.iterdir()}
    # boto3 is asked for only by the price list's reader, which the gate itself never imports.
    allowed = {"pulumi_policy", "pulumi", "yaml", "cryptography"} | (
        {"boto3"} if file.name == "awslist.py" else set()
    )
    assert imported(file) - own <= allowed


def test_the_table_of_rooms_holds():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_help_imports_no_heavy_library():
    """`fairweather --help` answers at once because it loads nothing that it does not need."""
    code = (
        "import sys; sys.argv = ['fairweather', '--help']\n"
        "try:\n    from gitops.cli import main; main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "usage: fairweather" in done.stdout
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"pandas", "numpy", "pulumi", "sklearn", "pydantic", "rich", "boto3"}
