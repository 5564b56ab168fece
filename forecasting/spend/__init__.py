"""What the month will have cost, and days that cost more than they should."""
