"""A recording of a terminal as a picture: what scripts/record runs."""
