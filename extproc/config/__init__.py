"""The one YAML file: models, loader, and the keys of other files."""
