"""What the gate asks, as a page and as data, made from the rules themselves.

python policypacks/guardrails/rules_doc.py            # print the page
python policypacks/guardrails/rules_doc.py --write    # rewrite docs/rules.md
python policypacks/guardrails/rules_doc.py --check    # exit 1 when docs/rules.md is not this page
python policypacks/guardrails/rules_doc.py --json     # the rules for machines
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from unittest import mock

import waiver_rules
from gate import Rule

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "rules.md"
ABOUT = """\
# What the gate asks

<!-- Made from the rules by `python policypacks/guardrails/rules_doc.py --write`; a test holds it to them. -->

Every rule of `policypacks/guardrails`. A mandatory rule blocks `pulumi preview` and `pulumi up`, an advisory one is a
note. Limits are keys of [thresholds.yaml](../policypacks/guardrails/thresholds.yaml), which belongs to its owners;
those that begin with `fairweather:` are in the stack file. Exemptions are in
[waivers.yaml](../policypacks/guardrails/waivers.yaml)."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--write", action="store_true", help="rewrite docs/rules.md")
    how.add_argument("--check", action="store_true", help="exit 1 when docs/rules.md is stale")
    how.add_argument("--json", action="store_true", help="the rules for machines")
    options = parser.parse_args(arguments)
    rules = shipped()
    text = page(rules)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    elif options.check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/rules.md: is not what the rules say; run it with --write", file=sys.stderr)
            return 1
    else:
        print(json.dumps([data(rule) for rule in rules], indent=1) if options.json else text)
    return 0


def shipped() -> tuple[Rule, ...]:
    """The rules that `__main__.py` lists, without the server that Pulumi talks to.

    Raises SystemExit with the reason where the pack's own files cannot be used.
    """
    with mock.patch("pulumi_policy.PolicyPack"):  # it would serve, and never return
        listed = runpy.run_path(str(HERE / "__main__.py"))
    rules = listed["rules"]
    return (*rules, *waiver_rules.rules(rules, listed["exemptions"]))


def data(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "level": rule.level,
        "description": rule.description,
        "remedy": rule.remedy,
        "severity": rule.severity,
        "frameworks": list(rule.frameworks),
        "limits": list(rule.limits),
    }


def page(rules: Sequence[Rule]) -> str:
    """A table for each subject, which is a file of the pack, in the order of `__main__.py`."""
    subjects = [
        section(subject, of_subject)
        for subject, of_subject in groupby(
            rules, key=lambda rule: rule.subject or rule.check.__module__
        )
    ]
    return "\n\n".join([ABOUT, *subjects]) + "\n"


def section(subject: str, rules: Iterable[Rule]) -> str:
    about = (sys.modules[subject].__doc__ or "").split("\n\n")[0].strip()
    head = "| rule | level, severity | holds when | limits | asked for by | what to do |\n|---|---|---|---|---|---|"
    return "\n".join([f"## {subject.replace('.', '/')}.py\n\n{about}\n\n{head}", *map(row, rules)])


def row(rule: Rule) -> str:
    limits = ", ".join(f"`{limit}`" for limit in rule.limits) or "–"
    asked = ", ".join(rule.frameworks) or "–"
    level = f"{rule.level}, {rule.severity}"
    cells = (f"`{rule.name}`", level, rule.description, limits, asked, rule.remedy)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
