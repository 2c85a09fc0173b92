"""How well a strategy decides labelled cases, and what would make it decide better."""
