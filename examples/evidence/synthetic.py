"""Seeded synthetic data for `fairweather evidence explain` and `privacy`, and a model to explain.

    .venv/bin/python examples/evidence/synthetic.py build/evidence-data

The example evidence in models/ was made from it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

WEIGHTS = np.array([[0, 1, 0.5], [2, 6, 3], [0.2, 4, 1.5]])
"""How much each patch of 8 x 8 pixels of a close-up tells: most in the middle, where the lesion is."""
PEOPLE = {
    "dermatology-consented": 60_000,
    "portraits-2025": 40_000,
    "scenes-2025": 30_000,
    "spoken-14-accents": 50_000,
}


def score(images: np.ndarray) -> np.ndarray:
    """Images [sample, 24, 24] from 0 to 1 -> a score a sample: how dark the patches are that tell."""
    patches = 1 - images.reshape(-1, 3, 8, 3, 8).mean(axis=(2, 4))
    told: np.ndarray = (patches * WEIGHTS).sum(axis=(1, 2))
    return told


def lesions(rng: np.random.Generator, samples: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Images [sample, 24, 24] and whether a doctor should look, which the darkest patches make likely."""
    shades = rng.uniform(0.2, 0.9, (samples, 3, 3)).repeat(8, axis=1).repeat(8, axis=2)
    images = np.clip(shades + rng.normal(0, 0.05, shades.shape), 0, 1).astype(np.float32)
    told = score(images)
    likely = 1 / (1 + np.exp(-4 * (told - told.mean())))
    return images, (rng.random(samples) < likely).astype(int)


def people(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """What a dataset says of each person, as coarse as it was published."""
    return pd.DataFrame(
        {
            "age_band": rng.choice(["18-39", "40-59", "60+"], rows, p=[0.45, 0.35, 0.2]),
            "gender": rng.choice(["female", "male", "not said"], rows, p=[0.5, 0.47, 0.03]),
            "region": rng.choice(["africa", "americas", "asia", "europe"], rows),
            "condition": rng.choice(["none", "benign", "malignant"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = lesions(np.random.default_rng(7))
    np.savez_compressed(folder / "lesions.npz", image=images, see_a_doctor=labels)
    for seed, (name, rows) in enumerate(PEOPLE.items()):
        people(np.random.default_rng(seed), rows).to_parquet(folder / f"{name}.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
