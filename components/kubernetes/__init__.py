"""What components are made of inside a cluster, whichever cloud it is on."""
