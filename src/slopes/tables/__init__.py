"""Your own tables: a CSV file and the name of a column become a trained model with an account of how good it is."""
