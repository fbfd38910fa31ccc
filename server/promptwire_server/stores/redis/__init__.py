"""State in Redis, shared by all replicas: one Lua script a decision, the server's clock, keys with a hash tag."""
