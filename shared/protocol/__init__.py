"""Singer's side: schemas, catalog and selection, messages, BATCH files, state."""
