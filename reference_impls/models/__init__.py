"""Where the model comes from: the embedded one, or any Hugging Face causal language model."""
