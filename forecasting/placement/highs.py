"""HiGHS through scipy: to the optimum, and without a word on standard output."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import scipy.optimize

from forecasting.placement.tables import Array


def milp(cost: Array, **given: Any) -> Any:
    """`scipy.optimize.milp` with no gap left, so that the same problem has the same answer."""
    with _silence():
        return scipy.optimize.milp(cost, options={"mip_rel_gap": 0.0}, **given)


@contextmanager
def _silence() -> Iterator[None]:
    """HiGHS 1.12 prints a line where it repairs a solution, whatever it is asked to print.

    Standard output belongs to the command, which may be writing JSON there.
    """
    buffers = ctypes.CDLL(None)
    sys.stdout.flush()
    buffers.fflush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        buffers.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
