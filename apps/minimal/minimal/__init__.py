"""A straight line, fitted together."""
