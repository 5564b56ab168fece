"""From demand to capacity: floor, ceiling and target, chosen by replay."""
