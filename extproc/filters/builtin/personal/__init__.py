"""What `pii` is made of: what it finds, and how a stream is masked."""
