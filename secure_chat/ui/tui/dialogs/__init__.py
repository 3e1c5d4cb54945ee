"""Small windows over the chat: questions, one line of input, something to read, something to choose."""
