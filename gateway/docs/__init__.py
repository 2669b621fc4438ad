"""The generated reference: settings, commands, metrics and messages, from the code alone."""
