"""What nobody is to see: secrets where they are named, and what is taken out of what is shown."""
