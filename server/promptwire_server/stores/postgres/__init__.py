"""What is kept in PostgreSQL, for any number of replicas."""
