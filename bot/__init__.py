"""What we do about it: the money floor."""
