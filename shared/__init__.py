"""The words of the domain and the edges that more than one service touches."""
