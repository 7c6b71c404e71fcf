"""From scores, alarms and annotations to verdicts."""
