"""An app for end-to-end tests."""
