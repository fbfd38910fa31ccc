"""The gRPC edge: one servicer module a service, written against Exchange; grpc itself stays in the transport modules."""
