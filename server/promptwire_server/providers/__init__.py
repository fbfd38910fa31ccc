"""Where answers come from: one wire dialect a module; vendors that differ only in data are rows of the registry."""
