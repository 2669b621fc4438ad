"""Files that `busbar init` writes."""
