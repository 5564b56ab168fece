"""Evidence from anywhere, held against its schema and the version that it says it is of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from governance import registry
from stacks import ContractError, ModelVersion, read_evidence
from stacks.errors import explain, shown
from stacks.nodes import compose
from stacks.reading import line_by_line, read_text, validate
from stacks.records import AppName, Digest, Modality, Record, Share, Version

Words = Annotated[str, Field(min_length=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]


class Days(Record):
    """The days that were measured, both included, UTC."""

    start: date = Field(alias="from")
    end: date = Field(alias="to")


class Signature(Record):
    """Who signed, and the signature in base64."""

    key: Words
    value: Words


class Bound(Record):
    """What every evidence file says of itself."""

    model: AppName
    version: Version
    digest: Digest
    tool: Words
    population: Words
    window: Days
    created: date
    expires: date
    signature: Signature | None = None


class Importance(Record):
    """Of one feature, and the least and the most that was seen of it."""

    feature: Words
    importance: float
    low: float
    high: float


class ExplanationEvidence(Bound):
    """What answers hang on."""

    kind: Literal["fairweather/explanation/1"] = Field(alias="schema")
    method: Words
    target: Words
    modality: Modality
    samples: Annotated[int, Field(ge=1)]
    faithfulness: Correlation
    stability: Correlation
    importances: Annotated[tuple[Importance, ...], Field(min_length=1)]


class Sensitive(Record):
    """A column that nobody outside should be able to tell, and the fewest values of it in a group."""

    column: Words
    values: Annotated[int, Field(ge=1, alias="l")]


class Anonymity(Record):
    """How far the people of one dataset are alike."""

    dataset: Words
    rows: Annotated[int, Field(ge=1)]
    quasi_identifiers: Annotated[tuple[Words, ...], Field(min_length=1)]
    k: Annotated[int, Field(ge=1)]
    share_below: dict[str, Share]
    sensitive: Sensitive | None = None


class PrivacyEvidence(Bound):
    """Datasets with personal data."""

    kind: Literal["fairweather/privacy/1"] = Field(alias="schema")
    datasets: Annotated[tuple[Anonymity, ...], Field(min_length=1)]


KINDS: dict[Any, type[Bound]] = {
    "fairweather/explanation/1": ExplanationEvidence,
    "fairweather/privacy/1": PrivacyEvidence,
}


def checked(file: Path, root: Path, day: date) -> ModelVersion:
    """The version that the file is evidence of.

    Args:
        file: explanation or privacy evidence, made by any tool.
        root: the registry.
        day: on which it has to be in date.

    Raises:
        ContractError: it is not in the schema, or not of the version as it is registered; a line a problem.
    """
    content = read_evidence(file)
    record = KINDS.get(content.get("schema"))
    if record is None:
        raise ContractError(
            f"{shown(file)}: schema: {content.get('schema')!r} is not one of {', '.join(KINDS)}; "
            "fairness evidence is judged by `fairweather evidence judge`"
        )
    try:
        validate(content, record)
    except ValidationError as error:
        document = compose(read_text(file), shown(file))
        raise line_by_line(dict(explain(error, record)), document) from None
    model = registry.load(root, content["model"], content["version"])
    problems = [f"{shown(file)}: {problem}" for problem in _problems(content, model, day)]
    if problems:
        raise ContractError("\n".join(problems))
    return model


def _problems(content: dict[str, Any], model: ModelVersion, day: date) -> Iterator[str]:
    yield from registry.unbound(content, model)
    yield from registry.out_of_date(content, day)
    window = content["window"]
    if not window["from"] <= window["to"] <= content["created"]:
        yield "window: ends before it begins, or after the evidence was created; correct it"
    if content["schema"] == "fairweather/privacy/1":
        named = [item["dataset"] for item in content["datasets"]]
        for name in sorted({name for name in named if named.count(name) > 1}):
            yield f"datasets: {name} stands there twice; remove one"
        personal = {item.name for item in model.datasets if item.personal_data}
        for name in sorted(personal - set(named)):
            yield f"datasets: says nothing of {name}, which holds personal data; measure it"
