"""The writer's promises over generated files: it writes plain ones, it may refuse hostile ones."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from stacks.records import Capacity
from stacks.splicing import WriteRefused
from stacks.writer import CAPACITY, rewrite, write_capacity

TOTAL = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else 200
Plan = dict[str, dict[str, dict[str, Any]]]

# Names that YAML 1.1 or 1.2 takes for something else than text stand among the ordinary ones.
APPS = ("camera", "no", "true", "null", "x2", "app-2")
PLACES = ("aws:us-east-1", "gcp:europe-west4", "aws:us-east-1-bos-1a")
REASONS = (
    "set by hand",
    "q90 floor; replay 28 d: -31 % cost at 0.6 % shortfall",
    "it's # not a comment",
    'say "peak" \\ twice',
    "Füße, naïve e\u0301té 🚀",
    "12:30",
    "2026-01-01",
    "0x10",
    "no",
    " both ends ",
    "[a, {b}]",
    "two\nlines\tand a tab",
    "- x",
    "long " * 60,
    "",
)
OTHERS = (
    ("aws:region", "us-east-1"),
    ("app:password", "\n{i}secure: AAABAEx5b3U9{c}"),
    ("app:token", "{{secure: v1:abc+/=}}{c}"),
    ('"1"', "one"),
    ("0x10", "'sixteen'"),
    ('"true"', '"yes"'),
    ("~", "nothing"),
    ("app:text", "|{c}\n{i}first: line # text\n\n{i}  second"),
    ("app:kept", "|+\n{i}kept\n"),
    ("app:folded", ">-\n{i}folded\n{i}text"),
    ("app:list", "{c}\n{i}- one{c}\n{i}- *shared\n{i}-  {{x: 1, y: [1,2]}}"),
    ("app:anchor", "&second {{a: 1}}"),
    ("app:alias", "*shared"),
    ("app:emoji", '"🚀 \\u00e9"{c}'),
    ("app:long", "x" * 3000),
    ("app:plain", "several\n{i}lines of\n{i}text{c}"),
    ("app:empty", "{c}"),
    ("app:merge", "\n{i}<<: *shared\n{i}b: 2"),
)


@dataclass(repr=False)
class Page:
    """A stack file as it is written line by line, and what it says about capacity."""

    newline: str
    lines: list[str] = field(default_factory=list)
    owners: list[tuple[str, ...] | None] = field(default_factory=list)
    capacity: Plan = field(default_factory=dict)
    comments: int = 0
    bom: bool = False
    final: bool = True

    def write(self, text: str, owner: tuple[str, ...] | None = None) -> None:
        for line in text.split("\n"):
            self.lines.append(line)
            self.owners.append(owner)

    def comment(self, said: str = "# note {n} é🚀: [x] 'y' \"z\" &a *b") -> str:
        self.comments += 1
        return said.format(n=f"<{self.comments}>")

    def __repr__(self) -> str:
        return f"<file {self.text!r}>"

    @property
    def text(self) -> str:
        body = self.newline.join(self.lines) + (self.newline if self.final else "")
        return ("\ufeff" if self.bom else "") + body


class Pen:
    """Draws the free choices of style."""

    def __init__(self, draw: DrawFn, hours: int) -> None:
        self.draw = draw
        self.count = hours

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def often(self) -> bool:
        return self.number(0, 3) > 0

    def rarely(self) -> bool:
        return self.number(0, 3) == 3

    def one(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def some(self, options: Any, least: int = 0, most: int | None = None) -> list[Any]:
        count = self.number(least, len(options) if most is None else most)
        left = list(options)
        return [left.pop(self.number(0, len(left) - 1)) for _ in range(count)]

    def remark(self, page: Page) -> str:
        return " " * self.number(1, 4) + page.comment() if self.rarely() else ""

    def quoted(self, text: str) -> str:
        return self.one((text, f"'{text}'", f'"{text}"'))

    def hours(self) -> list[int]:
        base, peak, at = self.number(0, 12), self.number(0, 12), self.number(0, self.count - 1)
        return [
            base + (peak if abs(hour - at) < self.count / 6 else 0) for hour in range(self.count)
        ]

    def grant(self) -> dict[str, Any]:
        grant = {
            "floor": {"weekday": self.hours(), "weekend": self.hours()},
            "ceiling": self.number(24, 120),
            "target_utilisation": self.one((0.7, 0.85, 1.0, 0.123456)),
            "expected_replicas": self.one((0.0, 6.2, 9.0, 12.25)),
            "reason": self.one(REASONS),
        }
        if self.number(0, 2) == 0:
            grant["requests"] = {
                "cpu": self.one((0.5, 2.0)),
                "memory_gib": 6.25,
                "memory_limit_gib": self.one((7.5, 12.0)),
            }
            if self.number(0, 2) == 0:
                grant["requests"]["last_oom"] = "2026-11-24T10:00:00Z"
        return grant

    def scalar(self, value: Any) -> str:
        if isinstance(value, str):
            double = value.replace("\\", "\\\\").replace('"', '\\"')
            double = double.replace("\n", "\\n").replace("\t", "\\t")
            styles = [f'"{double}"']
            if "\n" not in value:
                styles.append("'" + value.replace("'", "''") + "'")
            if re.fullmatch(r"[a-zA-Z][\w %]*\w", value) and value != "no":
                styles.append(value)
            return str(self.one(styles))
        number = f"{value:g}" if value < 1000 else str(value)
        return str(self.one((number, str(value)) if isinstance(value, float) else (number,)))

    def blank(self, page: Page, owner: tuple[str, ...] | None) -> None:
        if self.rarely():
            indent = " " * self.number(0, 9)
            page.write(self.one(("", indent, indent + page.comment())), owner)


def flow(value: Any, pen: Pen) -> str:
    """A value in braces and brackets."""
    if isinstance(value, Mapping):
        gap = pen.one(("", " "))
        end = pen.one(("", " ", ",", ", "))
        inside = ", ".join(f"{pen.quoted(k)}: {flow(v, pen)}" for k, v in value.items())
        return f"{{{gap}{inside}{end if value else ''}}}"
    if isinstance(value, list):
        return f"[{pen.one((', ', ',', ' ,  ')).join(map(str, value))}]"
    text = pen.scalar(value)
    return text if text[0] in "'\"" or not isinstance(value, str) else f"'{text}'"


def write_hours(page: Page, pen: Pen, indent: str, name: str, hours: list[int], owner: Any) -> None:
    """A list in one line, in several with comments between, or with dashes."""
    head = f"{indent}{pen.quoted(name)}:"
    form = pen.number(0, 4)
    if form == 0:
        page.write(head + pen.remark(page), owner)
        deeper = indent + " " * pen.number(0, 3)
        for hour in hours:
            page.write(f"{deeper}- {hour}{pen.remark(page) if hour % 3 == 0 else ''}", owner)
    elif form == 1:
        page.write(f"{head} [{', '.join(map(str, hours[:2]))},{pen.remark(page)}", owner)
        page.write(f"{indent}  {', '.join(map(str, hours[2:]))} ]{pen.remark(page)}", owner)
    else:
        page.write(f"{head} {flow(hours, pen)}{pen.remark(page)}", owner)


def write_grant(
    page: Page, pen: Pen, indent: str, step: int, place: str, grant: dict[str, Any], owner: Any
) -> None:
    head = f"{indent}{pen.quoted(place)}:"
    if pen.rarely():
        page.write(f"{head} {flow(grant, pen)}{pen.remark(page)}", owner)
        return
    page.write(head + pen.remark(page), owner)
    inner = indent + " " * step
    order = pen.some(tuple(grant), len(grant))
    for name in order:
        value = grant[name]
        if name == "requests" and not pen.rarely():
            page.write(f"{inner}requests:{pen.remark(page)}", (*owner, name))
            for key, figure in value.items():
                line = f"{inner}{' ' * step}{key}: {pen.scalar(figure)}{pen.remark(page)}"
                page.write(line, (*owner, name, key))
        elif name == "requests":
            page.write(f"{inner}requests: {flow(value, pen)}{pen.remark(page)}", (*owner, name))
        elif name != "floor":
            page.write(
                f"{inner}{pen.quoted(name)}: {pen.scalar(value)}{pen.remark(page)}", (*owner, name)
            )
        elif pen.rarely():
            page.write(f"{inner}floor: {flow(value, pen)}{pen.remark(page)}", (*owner, name))
        else:
            page.write(f"{inner}floor:{pen.remark(page)}", (*owner, "head"))
            for day in ("weekday", "weekend"):
                write_hours(page, pen, inner + " " * step, day, value[day], (*owner, name))
        if name != order[-1]:  # what follows an entry's last line is nobody's, and stays
            pen.blank(page, (*owner, "between"))


def write_capacity_key(page: Page, pen: Pen, indent: str, step: int) -> None:
    head = f"{indent}{pen.quoted('fairweather:capacity')}:"
    form = pen.number(0, 9)
    if form == 0:
        return
    if form == 1:
        empty = pen.one(("", " {}", " { }", " null", " ~"))
        page.write(head + empty + pen.remark(page), ("capacity",))
        return
    apps = pen.some(APPS, 1, 3)
    page.capacity = {app: {place: pen.grant() for place in pen.some(PLACES, 1, 2)} for app in apps}
    if form == 2:
        page.write(f"{head} {flow(page.capacity, pen)}{pen.remark(page)}", ("capacity",))
        return
    page.write(head + pen.remark(page), ("head",))
    for app, places in page.capacity.items():
        inner = indent + " " * step
        page.write(f"{inner}{pen.quoted(app)}:{pen.remark(page)}", (app,))
        for place, grant in places.items():
            write_grant(page, pen, inner + " " * step, step, place, grant, (app, place))


@st.composite
def pages(draw: DrawFn, hours: int = 4) -> Page:
    """A stack file in any style that a careful person could have written."""
    pen = Pen(draw, hours)
    page = Page(pen.one(("\n", "\r\n")), bom=pen.rarely(), final=pen.often())
    if pen.rarely():
        page.write(pen.one(("---", page.comment(), f"{page.comment()}\n---")))
    page.write(f"{pen.quoted('config')}:{pen.remark(page)}")
    indent, step = " " * pen.number(1, 7), pen.number(1, 7)
    shared = False
    others = pen.some(OTHERS, 0, 4)
    place = pen.number(0, len(others))
    for i in range(len(others) + 1):
        if i == place:
            page.write(f"{indent}fairweather:apps:{pen.remark(page)}")
            page.write(f"{indent}{' ' * step}camera: {{owner: a, x: [1, 2]}}{pen.remark(page)}")
            write_capacity_key(page, pen, indent, step)
            pen.blank(page, None)
        if i < len(others):
            key, value = others[i]
            if "*shared" in value and not shared:
                page.write(f"{indent}app:base: &shared {{z: 0}}")
                shared = True
            text = value.format(i=indent + " " * step, c=pen.remark(page))
            page.write(
                f"{indent}{key}: {text}" if text[:1] not in ("", "\n") else f"{indent}{key}:{text}"
            )
            if "|" not in value:
                pen.blank(page, None)
    if pen.rarely():
        page.final = True
        page.write("encryptionsalt: v1:abc=:v1:def")
    if not page.final and ("app:kept" in page.lines[-2] or page.lines[-1] == ""):
        page.final = True
    return page


@st.composite
def plans(draw: DrawFn, page: Page, hours: int) -> Plan:
    """What the planner wants instead: entries kept, changed, removed and added."""
    pen = Pen(draw, hours)
    plan: Plan = {}
    if pen.number(0, 9) == 9:
        return plan
    for app in APPS:
        places: dict[str, dict[str, Any]] = {}
        for place in PLACES:
            there = page.capacity.get(app, {}).get(place)
            choice = pen.number(0, 5)
            if there is not None and choice > 0:
                changed = pen.grant()
                fields = pen.some(tuple(changed), 0, 3) if choice > 2 else []
                places[place] = {**there, **{name: changed[name] for name in fields}}
                if choice == 5:
                    places[place].pop("requests", None)
            elif there is None and choice == 0 and pen.rarely():
                places[place] = pen.grant()
        if places:
            plan[app] = places
    return plan


@st.composite
def cases(draw: DrawFn, hours: int = 4) -> tuple[Page, Plan]:
    """A file and a plan for it; a day of four hours means as much to the writer, and is faster."""
    page = draw(pages(hours))
    return page, draw(plans(page, hours))


def examples(share: float) -> settings:
    """This share of all the examples that the writer's properties are worth."""
    return settings(
        max_examples=max(10, int(TOTAL * share)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def said(text: str) -> Any:
    """What another YAML library reads, everything as text."""
    return yaml.load(text.removeprefix("\ufeff"), yaml.CBaseLoader)


def capacity_of(text: str) -> Any:
    """Capacity as another YAML library reads it, each value of its kind and each key as text."""
    root = yaml.compose(text.removeprefix("\ufeff"), yaml.CSafeLoader)
    for name in ("config", "fairweather:capacity"):
        root = next((value for key, value in root.value if key.value == name), None)
        if root is None:
            return {}
    return _typed(root) or {}


def _typed(node: yaml.Node | None) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _typed(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_typed(item) for item in node.value]
    assert node is not None
    return yaml.constructor.SafeConstructor().construct_object(node)


def without_capacity(text: str) -> Any:
    values = said(text)
    values["config"].pop("fairweather:capacity", None)
    return values


def assert_written(page: Page, plan: Plan, result: str) -> None:
    """Exactly the plan is said, and every other byte is where it was."""
    assert capacity_of(result) == plan
    assert without_capacity(result) == without_capacity(page.text)
    assert result.startswith("\ufeff") == page.bom
    if page.newline == "\r\n":
        assert result.count("\n") == result.count("\r\n")
    after = result.removeprefix("\ufeff").split(page.newline)
    gone = [is_gone(page, plan, owner) for owner in page.owners]
    if not gone[-1]:
        assert result.endswith(page.newline) == page.text.endswith(page.newline)
    stays = [
        line
        for line, owner, is_out in zip(page.lines, page.owners, gone, strict=True)
        if not is_out and not may_change(page, plan, owner)
    ]
    rest = iter(after)
    assert all(line in rest for line in stays), "a line that stays is missing or moved"
    kept = [
        mark
        for line, is_out in zip(page.lines, gone, strict=True)
        if not is_out
        for mark in re.findall(r"# note <\d+>.*", line)
    ]
    assert [mark for line in after for mark in re.findall(r"# note <\d+>.*", line)] == kept


def is_gone(page: Page, plan: Plan, owner: tuple[str, ...] | None) -> bool:
    """Whether the line belongs to an entry that the plan drops."""
    if not owner or owner[0] not in page.capacity:
        return False
    if owner[0] not in plan:
        return True
    if len(owner) > 1 and owner[1] not in plan[owner[0]]:
        return True
    if len(owner) > 2 and owner[2] == "requests":
        asked = plan[owner[0]][owner[1]].get("requests", {})
        return not asked or (len(owner) > 3 and owner[3] not in asked)
    return False


def may_change(page: Page, plan: Plan, owner: tuple[str, ...] | None) -> bool:
    if not owner or len(owner) == 1:
        return owner == ("capacity",) or (owner == ("head",) and not plan)
    app, place = owner[:2]
    old, new = page.capacity[app][place], plan[app][place]
    return old != new if len(owner) == 2 else owner[2] in new and old[owner[2]] != new[owner[2]]


@examples(0.55)
@given(cases())
def test_what_a_careful_person_wrote_is_always_written_and_nothing_else_changes(
    case: tuple[Page, Plan],
) -> None:
    page, plan = case
    result = rewrite(page.text, {CAPACITY: plan})  # a refusal fails the test
    assert_written(page, plan, result)
    assert rewrite(result, {CAPACITY: plan}) == result, "the second write changes nothing"


@examples(0.05)
@given(pages())
def test_writing_what_stands_there_changes_no_byte(page: Page) -> None:
    if page.capacity:
        assert rewrite(page.text, {CAPACITY: page.capacity}) == page.text


HOSTILE = (
    "&a ", "*a", "*shared", "!!int ", "!t ", "<<: {a: 1}", "<<: *shared", "? ", "| ", ">-\n",
    "\t", "---\n", "...\n", "%YAML 1.1\n", "{", "}", "[", "]", ",", ":", ": ", "#", " #",
    "'", '"', "\\", "\ufeff", "\u2028", "\x85", "\r", "\n", "\x00", "\ud800", "- ", "  ",
    "camera: 1\n", "config: 1\n", "@", "`", "secure: x", "null",
)  # fmt: skip


@st.composite
def hostile_cases(draw: DrawFn, hours: int = 4) -> tuple[str, Plan]:
    """A stack file with characters put in, taken out, or whole lines said twice."""
    page, plan = draw(cases(hours))
    text = page.text
    pen = Pen(draw, hours)
    start = max(text.find("fairweather:capacity"), 0) if pen.often() else 0
    for _ in range(pen.number(1, 3)):
        at = pen.number(start, len(text))
        if pen.often():  # where a value begins is where marks hurt
            values = [match.end() for match in re.finditer(r"[:-] +|\n", text[at : at + 400])]
            at += pen.one(values) if values else 0
        match pen.number(0, 4):
            case 0:
                end = min(len(text), at + pen.number(1, 6))
                text = text[:at] + text[end:]
            case 1:
                lines = text.splitlines(keepends=True)
                line = pen.number(0, len(lines) - 1)
                text = "".join([*lines[: line + 1], lines[line], *lines[line + 1 :]])
            case _:
                text = text[:at] + pen.one(HOSTILE) + text[at:]
    return text, plan


@examples(0.38)
@given(hostile_cases())
def test_a_hostile_file_is_written_right_or_refused_with_file_line_and_reason(
    case: tuple[str, Plan],
) -> None:
    text, plan = case
    try:
        result = rewrite(text, {CAPACITY: plan}, "stacks/Pulumi.x.yaml")
    except WriteRefused as refusal:
        event("refused")
        for line in str(refusal).splitlines():
            assert re.match(r"stacks/Pulumi\.x\.yaml( \(as it would be\))?:\d+: .+", line)
        return
    event("written")
    try:
        before = without_capacity(text)
    except (yaml.YAMLError, AttributeError, TypeError):  # a reader of YAML 1.1 does not take it
        event("only YAML 1.2 takes it")
        return
    assert without_capacity(result) == before
    assert capacity_of(result) == plan
    assert rewrite(result, {CAPACITY: plan}) == result


@examples(0.02)
@given(case=st.one_of(cases(24).map(lambda case: (case[0].text, case[1])), hostile_cases(24)))
def test_the_file_holds_all_of_the_new_text_or_all_of_the_old(
    case: tuple[str, Plan], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text, plan = case
    file = tmp_path_factory.mktemp("stack") / "Pulumi.x.yaml"
    data = text.encode("utf-8", "surrogatepass")
    file.write_bytes(data)
    capacity = {
        app: {place: Capacity.model_validate(grant) for place, grant in places.items()}
        for app, places in plan.items()
    }
    told: str | None
    try:
        diff = write_capacity(file, capacity)
    except WriteRefused as refusal:
        told = str(refusal)
    else:
        told = None
    if told is not None:
        assert re.match(rf"{re.escape(str(file))}(:\d+)?: ", told)
        assert file.read_bytes() == data
    else:
        result = file.read_bytes()
        assert (diff == "") == (result == data)
        assert write_capacity(file, capacity) == ""
        assert file.read_bytes() == result
    assert list(file.parent.iterdir()) == [file]


def test_the_generated_files_are_of_every_style() -> None:
    """So that the properties above cannot pass on an empty choice."""
    styles: dict[str, bool] = {}

    @settings(max_examples=600, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(cases())
    def look(case: tuple[Page, Plan]) -> None:
        page, plan = case
        text = page.text
        shown = {
            "CRLF": "\r\n" in text,
            "BOM": page.bom,
            "no final newline": not page.final,
            "secure": "secure:" in text,
            "no capacity yet": "fairweather:capacity" not in text,
            "list with dashes": "- 1" in text,
            "braces": re.search(r"capacity['\"]?: \{ ?['\"]?[a-z]", text) is not None,
            "long line": "x" * 3000 in text,
            "app added": bool(set(plan) - set(page.capacity)),
            "app removed": bool(set(page.capacity) - set(plan)),
            "all removed": bool(page.capacity) and not plan,
        }
        for style, is_there in shown.items():
            styles[style] = styles.get(style, False) or is_there

    look()
    assert len(styles) == 11
    assert [style for style, is_there in styles.items() if not is_there] == []
