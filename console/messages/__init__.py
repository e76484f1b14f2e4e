"""What was asked, answered and told, and what people think: found, and answered."""
