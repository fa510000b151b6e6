"""A synthetic KR Core endpoint as plain functions: made-up resources, search, and answers to requests."""
