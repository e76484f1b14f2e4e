"""The staff console: accounts, broadcasts, messages, health. Server-rendered; what an officer may do stands in one table."""
