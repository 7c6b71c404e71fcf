"""What a device may do: rules learned from what its hosts did, written as a MUD profile."""
