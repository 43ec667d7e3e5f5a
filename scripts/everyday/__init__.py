"""Ten everyday situations and the page of their transcripts: what scripts/transcripts runs."""
