"""The page of pictures: a LeNet that learns digits, clothes or one's own pictures, and what happens inside it."""
