"""Azure OpenAI: OpenAI's dialect at other paths, under names of deployments."""
