"""A campaign of random faults, kills and strangers against hf2ms: what scripts/chaos runs."""
