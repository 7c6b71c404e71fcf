"""Changes the later sessions of devices as an outage, a moved cloud or a wrong clock would."""
