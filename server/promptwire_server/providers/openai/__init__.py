"""The chat-completions dialect of OpenAI, and of everybody who took it over."""
