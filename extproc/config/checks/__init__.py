"""What one value alone does not show: checks across the file."""
