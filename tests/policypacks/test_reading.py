"""Reading each message once changes nothing but the time that it takes."""

from __future__ import annotations

import shutil
import threading
from types import SimpleNamespace

import protocol
import pytest
import reading
from samples import PACK, node_group, service, state

BAD = [
    state("aws:s3/bucket:Bucket", "logs"),
    state("aws:s3/bucket:Bucket", "photos", {"acl": "public-read", "tags": {"app": "camera"}}),
    node_group(instanceTypes=["p4d.24xlarge"]),
    service(False),
]


def test_the_answers_are_the_same_without_it(tmp_path):
    slow = shutil.copytree(PACK, tmp_path / "slow")
    text = (slow / "__main__.py").read_text()
    assert "reading.once()\n" in text
    (slow / "__main__.py").write_text(text.replace("reading.once()\n", ""))
    with protocol.started(slow) as before, protocol.started(PACK) as after:
        expected = before.judge(BAD)
        assert len(expected) > 4
        assert after.judge(BAD) == expected
        assert after.judge(list(reversed(BAD))) == before.judge(list(reversed(BAD)))


def test_a_function_is_called_once_for_each_object_of_a_call():
    current, called = threading.local(), []
    read = reading.Once(lambda value: called.append(value) or list(value), current)
    one, other = "ab", "cd"
    assert [read(one), read(one)] == [["a", "b"]] * 2
    assert called == [one, one]  # outside a call nothing is kept
    current.known = {}
    assert read(one) is read(one)
    assert read(other) == ["c", "d"]
    assert called == [one, one, one, other]


@pytest.mark.parametrize("missing", ["_PolicyAnalyzerServicer", "json_format", *reading.STEPS])
def test_another_version_of_the_sdk_is_left_as_it_is(monkeypatch, missing):
    names = {
        "_PolicyAnalyzerServicer": type("Servicer", (), {}),
        "json_format": SimpleNamespace(MessageToDict=dict),
        **dict.fromkeys(reading.STEPS, dict),
    }
    names.pop(missing)
    stand_in = SimpleNamespace(**names)
    monkeypatch.setattr(reading, "sdk", stand_in)
    reading.once()
    assert vars(stand_in) == names
