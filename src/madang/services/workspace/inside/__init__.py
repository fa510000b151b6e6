"""Programs that run inside a workspace, in its Python. They import nothing of Madang."""
