"""From events to deliveries: plans of calls."""
