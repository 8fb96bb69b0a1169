"""What a user of a tap meets: arguments, config, discovery, progress, reports."""
