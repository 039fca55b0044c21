"""The data sets of courses: each is one call that finds or downloads its files, checks them, and returns its splits."""
