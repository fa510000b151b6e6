"""Privacy of data and of what is derived from them: risks, protection, and what may leave."""
