"""One file a command, imported when it runs. A command reads its words, calls one function, and shows what came of it."""
