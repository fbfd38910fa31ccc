"""A scripted model provider: a process of its own that misbehaves on demand."""
