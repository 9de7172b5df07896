"""The commands of ``catalog``, a module for each thing that people come for."""
