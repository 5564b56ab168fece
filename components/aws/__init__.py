"""What components are made of on AWS. Imported only by stacks that have something there."""
