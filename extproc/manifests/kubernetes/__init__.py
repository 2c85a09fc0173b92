"""Plain Kubernetes objects that run the processor beside a gateway."""
