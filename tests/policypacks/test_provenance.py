"""What a model was made from: approved, licensed, in date, by known pipelines."""

from __future__ import annotations

from datetime import date

import provenance
import pytest
from pricing.declared import of_preview
from samples import PACK, service
from settings import SettingsError

APPROVED = provenance.load(PACK / "approved.yaml")
DAY = date(2026, 11, 25)
SCENES = {"name": "scenes-2025", "licence": "CC-BY-4.0", "personal_data": True}


def said(check, **model):
    [resource] = of_preview([service(**model)])
    return list(check(resource))


def data(*datasets, day=DAY):
    return said(lambda one: provenance.unapproved(one, APPROVED, day), datasets=list(datasets))


def test_a_model_from_approved_data_by_an_approved_pipeline_passes():
    assert data(SCENES) == []
    assert said(lambda one: provenance.strange_pipelines(one, APPROVED)) == []


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ({**SCENES, "name": "scraped"}, "trained on scraped, which is not approved"),
        ({**SCENES, "name": "SCENES-2025"}, "trained on SCENES-2025, which is not approved"),
        ({**SCENES, "licence": "proprietary"}, "under proprietary, approved is CC-BY-4.0"),
        ({**SCENES, "personal_data": False}, "said to be without personal data"),
        ({"name": "scenes-2025", "licence": "CC-BY-4.0"}, "said to be without personal data"),
        ("scenes-2025", "trained on None, which is not approved"),
    ],
)
def test_other_data_is_blocked(dataset, text):
    [message] = data(dataset)
    assert text in message


def test_data_that_is_not_said_or_no_longer_approved_is_blocked():
    assert "does not say what it was trained on" in data()[0]
    [message] = data(SCENES, day=date(2037, 1, 1))
    assert "approval expired on 2036-12-31; have vision-team renew it" in message


@pytest.mark.parametrize(
    "pipeline", [None, "notebook.ipynb", "pipelines/../../train.yaml", "pipelines/x/train.yaml2", 3]
)
def test_other_pipelines_are_blocked(pipeline):
    [message] = said(
        lambda one: provenance.strange_pipelines(one, APPROVED), training_pipeline=pipeline
    )
    assert "training_pipeline" in message
    assert "not approved" in message


@pytest.mark.parametrize(
    ("personal", "text"),
    [
        (
            "{lawful_basis: because, deletion_days: 30, opt_out: honoured}",
            "lawful_basis: should be",
        ),
        ("{lawful_basis: consent, deletion_days: 400, opt_out: honoured}", "from 0 to 45"),
        ("{lawful_basis: consent, deletion_days: 30, opt_out: ignored}", "opt_out: should be"),
        ("{lawful_basis: consent}", "lacks deletion_days, opt_out"),
    ],
)
def test_the_list_itself_is_held_to_the_law_it_cites(tmp_path, personal, text):
    file = tmp_path / "approved.yaml"
    file.write_text(
        "pipelines: [a]\ndatasets:\n  x:\n    owner: o\n    source: s\n    licence: l\n"
        f"    expires: 2030-01-01\n    personal_data: {personal}\n"
    )
    with pytest.raises(SettingsError, match=r"approved\.yaml:8: ") as refused:
        provenance.load(file)
    assert text in str(refused.value)
