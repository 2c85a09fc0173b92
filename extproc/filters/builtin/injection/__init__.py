"""What prompt injection looks like: the signs of `prompt_injection`, and how a text is read."""
