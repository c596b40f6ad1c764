"""Words to statements: what a sentence names, where it says that is, and what a question asks for."""
