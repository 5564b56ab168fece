"""Model versions and their evidence, as those who answer for them look at them."""
