"""Data stays where its class may be: machines, buckets, copies, edge."""

from __future__ import annotations

import pytest
import residency
from pricing.declared import of_preview
from samples import TAGS, node_group, state

ALLOWED = {"personal": ("aws:eu-", "cdn"), "sensitive": ("aws:eu-",)}


def app(data_class="personal", name="camera"):
    return state(
        "fairweather:index:ModelService", name, {"app": name, "data_class": data_class, "owner": "t"}
    )  # fmt: skip


def said(*resources):
    return [found.message for found in residency.astray(of_preview(resources), ALLOWED)]


def bucket(region, tags=TAGS, **more):
    return state("aws:s3/bucket:Bucket", "photos", {"region": region, "tags": tags, **more})


def test_a_machine_inside_its_place_passes_and_outside_it_is_blocked():
    inside = app("internal")
    assert said(inside, node_group()) == []
    outside = app("personal")
    [message] = said(outside, node_group(region="us-east-1"))
    assert message == (
        "nodes is at aws:us-east-1 and holds personal data, which may be at aws:eu-, cdn; move it."
    )
    assert said(outside, node_group(region="eu-west-1")) == []


def test_a_bucket_outside_components_counts_by_its_tag():
    assert said(app(), bucket("us-east-1"))
    assert said(app(), bucket("eu-west-1")) == []
    assert said(app(), bucket("us-east-1", tags={**TAGS, "app": "other"})) == []


def test_a_copy_elsewhere_is_found():
    tables = state(
        "aws:dynamodb/table:Table",
        "users",
        {"region": "eu-west-1", "tags": TAGS, "replicas": [{"regionName": "us-east-1"}]},
    )
    [message] = said(app(), tables)
    assert "users is at aws:us-east-1" in message


@pytest.mark.parametrize(("data_class", "blocked"), [("personal", False), ("sensitive", True)])
def test_an_edge_is_everywhere(data_class, blocked):
    cdn = state("aws:cloudfront/distribution:Distribution", "cdn", {"tags": TAGS})
    assert bool(said(app(data_class), cdn)) is blocked


def test_a_provider_in_another_region_moves_what_it_makes():
    provider = state("pulumi:providers:aws", "far", {"region": "us-west-2"})
    far = state("aws:s3/bucket:Bucket", "photos", {"tags": TAGS}, provider=provider)
    [message] = said(app(), provider, far)
    assert "photos is at aws:us-west-2" in message
