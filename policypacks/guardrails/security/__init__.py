"""Security of what is declared, whoever declares it; a file a cloud, and one for who may do what."""
