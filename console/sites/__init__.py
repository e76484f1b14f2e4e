"""Sites of agencies that carry the widget: their keys, given and taken back."""
