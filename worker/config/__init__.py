"""The configuration: file, environment and routes; ``worker.config.settings`` is its front."""
