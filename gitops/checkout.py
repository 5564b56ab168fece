"""What is where in a checkout."""

from __future__ import annotations

from pathlib import Path

from gitops.errors import Refusal


def stack_path(name: str) -> Path:
    """Where a stack's file is, from the repository's root."""
    return Path("stacks") / f"Pulumi.{name}.yaml"


def stack_file(root: Path, name: str) -> Path:
    """`stacks/Pulumi.<name>.yaml`; Refusal names the stacks that there are."""
    file = root / stack_path(name)
    if not file.exists():
        known = ", ".join(sorted(p.name[7:-5] for p in file.parent.glob("Pulumi.*.yaml")))
        where = file.relative_to(root)
        raise Refusal(f"there is no stack file {where}; stacks here: {known or 'none'}")
    return file
