"""The gRPC server: the only package that knows Envoy's wire format."""
