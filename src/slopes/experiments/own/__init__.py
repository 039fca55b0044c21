"""Experiments on data of the user's own: pictures, sound, text, language and series from files and folders."""
