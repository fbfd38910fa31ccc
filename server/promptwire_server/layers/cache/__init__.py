"""Cache: the same question of the same tenant gets the answer that was given before, where the caller or the operator wants that."""
