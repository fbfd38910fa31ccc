"""OpenAI's Responses API, for the models and the requests that need it."""
