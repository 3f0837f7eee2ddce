"""Values and their wire forms; pure."""
