"""One page that shows what a policy does and what it costs."""
