"""Floor 9, practice: networks and recipes of the courses, each recipe one short file."""
