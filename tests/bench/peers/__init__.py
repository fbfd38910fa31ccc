"""Other gateways beside ours: installed, started and measured in one run."""
