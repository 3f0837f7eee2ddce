"""Stand-ins for the four vendors, written from their documents; they share no code with the product."""
