"""A whole pipeline, and what is done to it: tests of this folder share one, and end it."""
