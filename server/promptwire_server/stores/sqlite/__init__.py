"""SQLite: state on one machine's disk. A thread of its own writes it in groups, so that the event loop never waits for the disk."""
