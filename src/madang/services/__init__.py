"""What a node offers its people, one room each."""
