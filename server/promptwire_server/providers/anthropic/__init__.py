"""The dialect of Anthropic's messages, and of everybody who took it over."""
