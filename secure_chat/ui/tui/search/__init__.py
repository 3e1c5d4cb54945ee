"""Finding words and days."""
