"""How metrics of a running notebook are gathered, written and sent."""
