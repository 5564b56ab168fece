"""Charts: sound SVG whatever the numbers are."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gitops.pages.chart import HEIGHT, WIDTH, Band, Line, nice_step, time_chart

START = datetime(2026, 11, 1, tzinfo=UTC)
VALUES = st.one_of(st.floats(0, 1e9), st.just(math.nan))


def numbers(shape):
    return [
        float(n)
        for n in shape.replace("M", " ")
        .replace("L", " ")
        .replace("H", " ")
        .replace(",", " ")
        .split()
    ]


@given(st.lists(VALUES, min_size=1, max_size=60), st.booleans())
def test_every_mark_lies_inside_the_picture(values, steps):
    page = time_chart(START, [Line("demand <&>", values, "demand", steps=steps)], now_index=1)
    svg = ET.fromstring(page)
    drawn = numbers(svg.find("path").get("d"))
    assert all(0 <= number <= max(WIDTH, HEIGHT) for number in drawn)
    # Each known value is drawn once; a step draws a corner more where the one before is known.
    known = [math.isfinite(v) for v in values]
    corners = sum(a and b for a, b in pairwise(known)) if steps else 0
    assert len(drawn) == 2 * sum(known) + corners
    assert svg.find("path/title").text == "demand <&>"


def test_a_gap_in_the_telemetry_is_a_gap_in_the_line():
    page = time_chart(START, [Line("demand", [1, math.nan, 2], "demand")])
    assert ET.fromstring(page).find("path").get("d").count("M") == 2


def test_a_band_is_drawn_where_both_edges_are_known():
    band = Band("fan", [math.nan, 1, 1], [2, 2, math.nan], "fan")
    page = time_chart(START, [Line("demand", [1, 1, 1], "demand")], [band])
    assert len(ET.fromstring(page).find("polygon").get("points").split()) == 2


@given(st.floats(1e-6, 1e12))
def test_axis_steps_are_round_and_few(top):
    step = nice_step(top)
    assert 1 <= top / step <= 4.000001 * 2.5
    digits = f"{step:.0e}"[0]
    assert digits in "125"
