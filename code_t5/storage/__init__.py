"""How every artefact of the project is written: whole or not at all, and saying what it is."""
