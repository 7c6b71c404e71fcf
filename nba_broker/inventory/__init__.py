"""Hosts for the inventories of others: OCSF events, NetBox."""
