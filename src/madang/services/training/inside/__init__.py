"""What runs inside a closed box for the grader. Nothing of it is imported outside."""
