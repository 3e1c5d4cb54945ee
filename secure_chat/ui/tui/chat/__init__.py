"""The main screen: where everything meets."""
