"""What runs and operates Switchboard."""
