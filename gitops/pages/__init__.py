"""Pages that open offline, and the charts in them."""
