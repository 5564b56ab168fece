"""The model registry."""

from __future__ import annotations

import argparse
from pathlib import Path

from gitops.options.shared import Commands, command

MODEL_FACTS = {
    "modality": "image, audio, text, tabular or multimodal",
    "image": "the serving container by digest, registry/name@sha256:...",
    "artifact": "address of the weights",
    "digest": "sha256:... of the weights, where --weights is not given",
    "intended_use": "what it is for, in a sentence",
    "licence": "SPDX identifier, such as Apache-2.0",
    "training_pipeline": "what trained it",
    "inference_pipeline": "what turns a request into an answer, if more than the image",
    "rollback_to": "the version to roll back to (default: that of --after)",
}
"""Keys of a version's file that `model add` takes as options."""


def add(commands: Commands) -> None:
    model_actions(command(
        commands, "model", "commands.model:show",
        "Ask the model registry: versions, their evidence, where to roll back to.",
        "fairweather model verify", stack=False,
    ))  # fmt: skip


def model_actions(model: argparse.ArgumentParser) -> None:
    """What can be asked of the registry, each with the model that it is about."""
    actions = model.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: str, summary: str, example: str) -> argparse.ArgumentParser:
        return command(actions, name, f"commands.model:{run}", summary, example, stack=False)

    show = action(
        "show", "show", "What a version is, what its evidence says, and what is wrong with it.",
        "fairweather model show scene-caption",
    )  # fmt: skip
    show.add_argument("name", metavar="NAME", help="a folder in models/")
    show.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")
    add = action(
        "add", "add", "Draft the next version, check it, and show its file; --write puts it in the registry.",
        "fairweather model add scene-caption 2.4.0 --after 2.3.1 --weights build/model.safetensors "
        "--artifact s3://lumen-models/scene-caption/2.4.0/model.safetensors --evidence fairness=build/fairness.json",
    )  # fmt: skip
    add.add_argument("name", metavar="NAME", help="a folder in models/; a new one is made")
    add.add_argument("version", metavar="VERSION", help="three numbers, such as 2.4.0")
    add.add_argument(
        "--after", metavar="VERSION",
        help="take over from this version what is not said here, and roll back to it",
    )  # fmt: skip
    for key, text in MODEL_FACTS.items():
        add.add_argument(f"--{key.replace('_', '-')}", dest=key, metavar="TEXT", help=text)
    add.add_argument(
        "--sensitive-domain", action=argparse.BooleanOptionalAction, default=None,
        help="whether a wrong answer can hurt people: health, credit, hiring, policing",
    )  # fmt: skip
    add.add_argument(
        "--dataset", action="append", metavar="NAME,LICENCE,personal|not-personal",
        help="what it was trained on; may be repeated",
    )  # fmt: skip
    add.add_argument(
        "--weights", type=Path, metavar="FILE", help="the weights, to take their digest from"
    )
    add.add_argument(
        "--evidence", action="append", default=[], metavar="KIND=FILE",
        help="fairness, explanation or privacy evidence, copied into the registry; may be repeated",
    )  # fmt: skip
    add.add_argument("--write", action="store_true", help="put it in the registry")
    export = action(
        "export", "export", "A version as a bill of materials (CycloneDX 1.6 ML-BOM) or as a model card.",
        "fairweather model export scene-caption --format cyclonedx --output build/scene-caption.cdx.json",
    )  # fmt: skip
    export.add_argument("name", metavar="NAME", help="a folder in models/")
    export.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")
    export.add_argument(
        "--format", choices=("cyclonedx", "card"), default="cyclonedx", help="default: cyclonedx"
    )
    export.add_argument("--output", type=Path, metavar="FILE", help="default: print it")
    diff = action(
        "diff", "diff", "What differs between two versions: their files, and the rates in their evidence.",
        "fairweather model diff scene-caption 2.3.0 2.3.1",
    )  # fmt: skip
    diff.add_argument("name", metavar="NAME", help="a folder in models/")
    diff.add_argument("before", metavar="V1")
    diff.add_argument("after", metavar="V2")
    verify = action(
        "verify", "verify", "Check that evidence is unchanged, of its version and in date; a line a problem.",
        "fairweather model verify scene-caption",
    )  # fmt: skip
    verify.add_argument("name", metavar="NAME", nargs="?", help="default: every model")
    target = action(
        "rollback-target", "rollback_target", "The first version along rollback_to whose evidence holds.",
        "fairweather model rollback-target scene-caption 2.3.1",
    )  # fmt: skip
    target.add_argument("name", metavar="NAME", help="a folder in models/")
    target.add_argument("version", metavar="VERSION", help="the version to leave")
