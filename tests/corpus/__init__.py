"""Factor functions as language models write them: those that must be read, and those that must be refused because they look ahead."""
