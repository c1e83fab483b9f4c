"""An emulated Ollama on loopback, which answers DeepSeek's client too: a scripted model, wrong on command, the same every time."""
