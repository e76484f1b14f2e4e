"""One folder per way of talking; interchangeable behind the small protocol in base."""
