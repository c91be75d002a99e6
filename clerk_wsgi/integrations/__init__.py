"""One thin file for each framework; none knows another, and nothing here imports them."""
