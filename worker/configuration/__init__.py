"""How the configuration file is read and checked; ``worker.settings`` is its front."""
