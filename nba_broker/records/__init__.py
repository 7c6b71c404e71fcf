"""What travels between the parts: sessions, leases, verdicts, and the types they are made of."""
