"""The gate's word on one run of the engine as a file, for people, for machines, for code scanning or for test reports.

The kind of file is chosen by its suffix. Nothing is measured here: a report is a pure function of the outcome and of
the list of rules, and what neither of them tells is said to be unknown.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

from gitops import show
from gitops.checkout import stack_path
from gitops.comment import fenced
from gitops.engine import Finding, Outcome
from gitops.errors import Refusal

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""
SECURITY_SEVERITY = {"low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""As GitHub's code scanning sorts alerts: the middle of each CVSS class."""
Result = Literal["blocked", "noted", "passed", "not judged"]


@dataclass(frozen=True)
class Rule:
    """What the pack says of one of its rules."""

    name: str
    level: str
    description: str
    remedy: str
    """Empty where the pack was not asked."""
    severity: str = "medium"
    frameworks: Sequence[str] = ()
    """Controls that ask for it, such as `NIST 800-53 AC-6`."""


@dataclass(frozen=True)
class Report:
    """One run of the engine on one stack, and the rules that it was held to."""

    stack: str
    outcome: Outcome
    listed: tuple[Rule, ...] = ()
    """Every rule of the pack; empty where the pack could not tell, and then nothing is said to have passed."""

    @property
    def verdict(self) -> Literal["blocked", "failed", "passed"]:
        if self.outcome.blocked:
            return "blocked"
        return "failed" if self.outcome.errors else "passed"

    @property
    def rules(self) -> list[Rule]:
        """The rules of the list, and after them those that only their findings tell of."""
        found = {rule.name: rule for rule in map(_told_by, self.outcome.findings)}
        return [*self.listed, *(found[name] for name in found if name not in self._by_name)]

    def result(self, rule: Rule) -> Result:
        """Nothing found is a pass only where the engine came to its end.

        It asks rules about the whole stack last, and not at all after an error.
        """
        found = [finding for finding in self.outcome.findings if finding.rule == rule.name]
        if found:
            return "blocked" if any(finding.blocks for finding in found) else "noted"
        return "not judged" if self.outcome.errors else "passed"

    def with_result(self, result: Result) -> list[str]:
        return [rule.name for rule in self.rules if self.result(rule) == result]

    def told_of(self, finding: Finding) -> str:
        """`mandatory, high`; without the severity where the pack did not tell of its rules."""
        rule = self._by_name.get(finding.rule)
        return f"{finding.level}, {rule.severity}" if rule else finding.level

    def remedy(self, finding: Finding) -> str:
        """What the pack says of the rule in general; the finding's own text is more exact."""
        rule = self._by_name.get(finding.rule)
        return rule.remedy if rule else ""

    @property
    def _by_name(self) -> dict[str, Rule]:
        return {rule.name: rule for rule in self.listed}


def _told_by(finding: Finding) -> Rule:
    """Pulumi puts a rule's description in front of each of its messages."""
    described, _, text = finding.message.partition("\n")
    return Rule(finding.rule, finding.level, described if text else "", "")


def writer(file: Path) -> Callable[[Report], str]:
    """The function that fills such a file. Raises Refusal where the suffix is not known or the folder is not there."""
    made = FORMATS.get(file.suffix)
    if made is None:
        raise Refusal(
            f"--policy-report {file}: its kind is not known; end it in {', '.join(FORMATS)}"
        )
    if not file.parent.is_dir():
        raise Refusal(f"--policy-report {file}: {file.parent} is no folder; make it first")
    return made


def as_json(report: Report) -> str:
    """Everything, for machines; `rules_listed` tells whether rules that found nothing are among the rules."""
    outcome = report.outcome
    told = {
        "schema": "fairweather/policy-report/1",
        "stack": report.stack,
        "verdict": report.verdict,
        "seconds": round(outcome.seconds, 3),
        "changes": outcome.changes,
        "errors": outcome.errors,
        "findings": [
            {
                "rule": finding.rule,
                "level": finding.level,
                "blocks": finding.blocks,
                "resource": finding.resource,
                "urn": finding.urn,
                "message": finding.text,
                "remedy": report.remedy(finding) or None,
            }
            for finding in outcome.findings
        ],
        "rules_listed": bool(report.listed),
        "rules": [
            {
                "name": rule.name,
                "level": rule.level,
                "severity": rule.severity,
                "frameworks": list(rule.frameworks),
                "result": report.result(rule),
                "description": rule.description,
                "remedy": rule.remedy or None,
            }
            for rule in report.rules
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0 with the fields that GitHub's code scanning asks for.

    Rules that passed are properties of the run: a result of the kind `pass` would become an alert.
    """
    rules, seen = report.rules, Counter[str]()
    index = {rule.name: at for at, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {"name": "fairweather guardrails", "rules": [_descriptor(r) for r in rules]}
        },
        # One stack's upload does not close another one's alerts.
        "automationDetails": {"id": f"fairweather-{report.stack}/"},
        "invocations": [
            {
                "executionSuccessful": not report.outcome.errors,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": error}}
                    for error in report.outcome.errors
                ],
            }
        ],
        "results": [
            _sarif_result(report, finding, index[finding.rule], seen)
            for finding in report.outcome.findings
        ],
        "properties": {
            "verdict": report.verdict,
            "rulesListed": bool(report.listed),
            "passed": report.with_result("passed"),
            "notJudged": report.with_result("not judged"),
        },
    }
    told = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _descriptor(rule: Rule) -> dict[str, Any]:
    described = rule.description or rule.name
    return {
        "id": rule.name,
        "shortDescription": {"text": described},
        "fullDescription": {"text": described},
        "help": {"text": rule.remedy or "Each result says what to do."},
        "defaultConfiguration": {"level": _sarif_level(rule.level)},
        "properties": {
            "tags": ["policy", *rule.frameworks],
            "problem.severity": _sarif_level(rule.level),
            "security-severity": SECURITY_SEVERITY[rule.severity],
        },
    }


def _sarif_result(
    report: Report, finding: Finding, index: int, seen: Counter[str]
) -> dict[str, Any]:
    """One alert. Its place is the stack file, since URNs are in no file.

    Its fingerprint is of rule and resource: made of the line, as GitHub would, all results of a
    rule would be one alert.
    """
    of = hashlib.sha256(f"{finding.rule}\n{finding.urn}".encode()).hexdigest()[:32]
    seen[of] += 1
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _sarif_level(finding.level),
        "message": {"text": f"{finding.resource}: {finding.text or finding.rule}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": stack_path(report.stack).as_posix(),
                        "uriBaseId": "%SRCROOT%",
                    },
                    "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": finding.urn or report.stack, "kind": "resource"}
                ],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{of}:{seen[of]}"},
    }


def _sarif_level(level: str) -> str:
    return "error" if level == "mandatory" else "warning"


def as_junit(report: Report) -> str:
    """A test case for each rule and resource with a finding, for each rule without one, and for the engine itself."""
    outcome, suite = report.outcome, ET.Element("testsuite", name=f"guardrails on {report.stack}")
    ran = ET.SubElement(suite, "testcase", classname="guardrails", name="the engine ran")
    if outcome.errors:
        _said(ran, "error", "engine", "\n".join(outcome.errors))
    for (name, urn), found in groupby(sorted(outcome.findings, key=_by_case), key=_by_case):
        _case_of_findings(report, name, urn, list(found), suite)
    for rule in report.listed:
        result = report.result(rule)
        if result in {"passed", "not judged"}:
            case = ET.SubElement(
                suite, "testcase", classname=f"guardrails.{rule.name}", name="every resource"
            )
            if result == "not judged":
                ET.SubElement(case, "skipped", message="the engine failed before it was asked")
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    suite.set("time", f"{outcome.seconds:.3f}")
    whole = ET.Element("testsuites")
    whole.append(suite)
    ET.indent(whole, " ")
    return ET.tostring(whole, encoding="unicode", xml_declaration=True) + "\n"


def _by_case(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.urn


def _case_of_findings(
    report: Report, rule: str, urn: str, found: list[Finding], suite: ET.Element
) -> None:
    name = _in_xml(urn or "the whole stack")
    case = ET.SubElement(suite, "testcase", classname=_in_xml(f"guardrails.{rule}"), name=name)
    text = "\n".join(finding.text for finding in found)
    remedy = report.remedy(found[0])
    told = f"{text}\n{remedy}" if remedy else text
    if any(finding.blocks for finding in found):
        _said(case, "failure", found[0].level, told)
    else:  # JUnit knows no warning: it passes, and says so
        ET.SubElement(case, "system-out").text = _in_xml(told)


def _said(case: ET.Element, tag: str, kind: str, text: str) -> None:
    first = _in_xml(text.split("\n", 1)[0])
    ET.SubElement(case, tag, type=kind, message=first).text = _in_xml(text)


def _in_xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


def as_markdown(report: Report) -> str:
    """The verdict, a table of findings, then the rules without one. Nothing is cut; a comment is another thing."""
    parts = [f"# {report.stack}: {headline(report)}"]
    parts += [fenced(error) for error in report.outcome.errors]
    if report.outcome.findings:
        rows = [
            f"| `{finding.rule}` | {report.told_of(finding)} | {_cell(finding.resource)} "
            f"| {_cell(finding.text)} | {_cell(report.remedy(finding))} |"
            for finding in _blocking_first(report)
        ]
        head = "| rule | level | resource | found | what to do |\n|---|---|---|---|---|"
        parts.append("\n".join([head, *rows]))
    parts += [
        f"{told}: {', '.join(f'`{name}`' for name in names)}" for told, names in _without(report)
    ]
    return "\n\n".join([*parts, *_unknown(report)]) + "\n"


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|").replace("\n", "<br>")


def as_text(report: Report) -> str:
    """The same for a log, one finding after the other."""
    lines = [f"{report.stack}: {headline(report)}"]
    lines += [f"error: {error.removeprefix('error: ')}" for error in report.outcome.errors]
    for finding in _blocking_first(report):
        lines += ["", f"{finding.rule} ({report.told_of(finding)})  {finding.resource}"]
        told = [*finding.text.splitlines(), report.remedy(finding)]
        lines += [f"  {line}" for line in told if line]
    lines += ["", *(f"{told}: {', '.join(names)}" for told, names in _without(report))]
    return "\n".join([*lines, *_unknown(report)]).rstrip() + "\n"


def headline(report: Report) -> str:
    """The verdict in one line."""
    changes = show.changes(report.outcome)
    match report.verdict:
        case "blocked":
            return f"blocked by {', '.join(report.with_result('blocked'))}; {changes}"
        case "failed":
            return "the preview failed"
        case "passed":
            return f"the gate passes; {changes}"


def _blocking_first(report: Report) -> list[Finding]:
    return sorted(report.outcome.findings, key=lambda finding: not finding.blocks)


def _without(report: Report) -> Iterable[tuple[str, list[str]]]:
    """The rules without a finding, by what that means."""
    results: tuple[Result, ...] = ("passed", "not judged")
    for result in results:
        names = report.with_result(result)
        if names:
            yield f"{result} ({len(names)})", names


def _unknown(report: Report) -> list[str]:
    told = "The pack did not list its rules, so which ones passed is not known."
    return [] if report.listed else [told]


FORMATS: dict[str, Callable[[Report], str]] = {
    ".json": as_json,
    ".sarif": as_sarif,
    ".xml": as_junit,
    ".md": as_markdown,
    ".txt": as_text,
}
