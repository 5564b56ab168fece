"""`fairweather preview | up | cost`: the engine with the pack, told in a few lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from gitops import comment, engine, policy_report, show
from gitops.checkout import stack_file
from gitops.engine import Engine, Outcome
from gitops.errors import Refusal
from gitops.forge import Forge


def preview(options: Namespace) -> int:
    """Preview one stack; exit 1 when the gate blocks or the engine fails."""
    forge = None if options.post is None else forge_here()
    writers = {file: policy_report.writer(file) for file in options.policy_report}
    try:
        outcome = ready(options).preview(progress(options), refresh=options.refresh)
    except engine.EngineError as error:  # the pull request is to say so, too
        outcome = Outcome(errors=[str(error)])
    failed = tell(options, outcome, "preview")
    if writers:
        report = policy_report.Report(options.stack, outcome, rules(options.root))
        for file, write in writers.items():
            file.write_text(write(report), encoding="utf-8")
    text = comment.markdown(options.stack, outcome)
    if options.comment:
        options.comment.write_text(text, encoding="utf-8")
    if forge is not None:
        where = forge.comment(options.post, comment.marker(options.stack), text)
        print(where, file=sys.stderr)
    return failed


def rules(root: Path) -> tuple[policy_report.Rule, ...]:
    """What the pack says of its rules, asked in a process of its own, as the engine does.

    The engine knows which rules passed, but Pulumi's Python SDK does not hand those events on.
    Empty where the pack cannot be loaded, which the engine has then said already.
    """
    command = (sys.executable, root / engine.PACK / "rules_doc.py", "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return ()
    known = ("name", "level", "description", "remedy", "severity", "frameworks")
    return tuple(
        policy_report.Rule(**{key: rule[key] for key in known}) for rule in json.loads(done.stdout)
    )


def forge_here() -> Forge:
    """Where pull requests are; Refusal outside a CI that says so."""
    forge = Forge.from_environment()
    if forge is None:
        raise Refusal("--post: GITHUB_REPOSITORY and GITHUB_TOKEN are not set; set both")
    return forge


def up(options: Namespace) -> int:
    """Deploy one stack through the gate; exit 1 when it blocks or the engine fails.

    A preview comes first: the engine asks the gate about the whole stack, such as its budgets,
    only when everything is deployed.
    """
    selected = ready(options)
    before = selected.preview(progress(options), refresh=options.refresh)
    if before.failed:
        return tell(options, before, "preview")
    return tell(options, selected.up(progress(options), refresh=options.refresh), "up")


def cost(options: Namespace) -> int:
    """Price what the program declares, whoever declared it."""
    from finops import stack_cost

    selected = ready(options)
    estimate = stack_cost.of_preview(selected.resources(), options.prices)
    budgets = stack_cost.budgets(stack_file(options.root, options.stack))
    if options.json:
        print(json.dumps(stack_cost.to_dict(estimate, budgets), indent=1))
    else:
        show.costs(estimate, budgets)
    return 0


def ready(options: Namespace) -> Engine:
    """The stack on the user's own clouds or, if asked, on the sandbox."""
    stack_file(options.root, options.stack)  # before anything is started for it
    home: Path | None = options.sandbox
    if home is not None:
        from gitops import sandboxing

        sandboxing.started(home)
    os.environ.update(engine.environment(home))
    return Engine(options.root, options.stack, throw_away=home is not None)


def progress(options: Namespace) -> engine.Line | None:
    """A line that overwrites itself, where a person is looking."""
    return None if options.json or not sys.stderr.isatty() else show.ticker()


def tell(options: Namespace, outcome: Outcome, verb: str) -> int:
    if options.json:
        print(json.dumps(outcome.to_dict(), indent=1))
    else:
        show.outcome(outcome, verb)
    return 1 if outcome.failed else 0
