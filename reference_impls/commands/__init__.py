"""The commands of ``unlearn``, a module for each thing that people come for."""
