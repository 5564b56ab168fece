"""What to buy for a year, what by the hour and what as spot: advice only, nothing is bought."""
