"""Errors that a user can mend are one line; each name in the table is a class that there is."""

from __future__ import annotations

import importlib

import pytest

from gitops.errors import MENDABLE, in_one_line


@pytest.mark.parametrize("name", MENDABLE)
def test_what_is_mendable_exists_and_is_told_in_its_own_words(name):
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    assert (
        in_one_line(found("file.yaml:3: key: wrong; mend it")) == "file.yaml:3: key: wrong; mend it"
    )


def test_a_file_that_cannot_be_read_is_named():
    assert in_one_line(FileNotFoundError(2, "No such file or directory", "x.csv")) == (
        "x.csv: No such file or directory"
    )


def test_a_fault_of_our_own_keeps_its_traceback():
    assert in_one_line(KeyError("x")) is None
