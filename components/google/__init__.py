"""What components are made of on Google Cloud. Imported only by stacks that have something there."""

ACCOUNT_LENGTH = 30
"""Of the ids of service accounts."""
