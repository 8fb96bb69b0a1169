"""Reading many units at once, and writing what they give with one writer."""
