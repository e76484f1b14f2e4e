"""Officers, how they sign in, and what they did."""
