"""The whole product: a real server process, called by real clients over real sockets."""
