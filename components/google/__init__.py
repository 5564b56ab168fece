"""What components are made of on Google Cloud. Imported only by stacks that have something there."""
