"""Labels that a language model chooses by the evidence."""
