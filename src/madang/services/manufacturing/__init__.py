"""Manufacturing: campaigns, runs and equipment of a project, for whoever develops a bioprocess.

Real equipment is read only. What an optimizer, a prediction or a soft sensor says is marked as for development use.
"""
