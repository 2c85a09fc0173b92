"""What `up` and `serve` are themselves: supervisors of Envoy and the workers, and the admin."""
