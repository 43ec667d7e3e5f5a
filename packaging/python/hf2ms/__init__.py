"""hf2ms copies model and dataset repositories between hubs. This package brings its programs; it has no Python interface."""
