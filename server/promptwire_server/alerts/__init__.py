"""Alerts: budgets that come to a threshold are told to webhooks, beside the calls and never in their way."""
