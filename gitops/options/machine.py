"""This machine: the embedded clouds and the demo."""

from __future__ import annotations

from pathlib import Path

from gitops.options.shared import Commands, command, json_option


def add(commands: Commands) -> None:
    box = command(
        commands, "sandbox", "sandboxing:sandbox",
        "The embedded clouds that the real engine can deploy to.",
        'fairweather sandbox start && eval "$(fairweather sandbox env)" && pulumi preview -s dev', stack=False,
    )  # fmt: skip
    box.add_argument("action", choices=("start", "status", "env", "stop"))
    box.add_argument(
        "--home", type=Path, default=None, help="where it keeps its state (default: .sandbox)"
    )
    json_option(box, "status for machines")

    demo = command(
        commands, "demo", "demo:demo",
        "The whole loop on this machine, in a throw-away clone; nothing of yours is touched.",
        "fairweather demo --demand my-demand.csv.gz", stack=False,
    )  # fmt: skip
    demo.add_argument("--stack", default="dev", help="example stack to run (default: dev)")
    demo.add_argument(
        "--demand",
        metavar="FILE",
        help="demand to plan from (default: synthetic, made for the demo)",
    )
    demo.add_argument(
        "--at", metavar="TIME", help="plan as of this time (default: the end of the demand)"
    )
    demo.add_argument(
        "--keep", action="store_true", help="leave the embedded clouds running afterwards"
    )
    demo.add_argument(
        "--folder", type=Path, help="where to put the clone (default: a new temporary folder)"
    )
