"""What describes a network, a topology file or Python calls, made into its system."""
