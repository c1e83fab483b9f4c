"""One step per schema, oldest first; a step that was released is never edited."""
