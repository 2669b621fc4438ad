"""Adapters: one folder per protocol family; they translate and decide nothing."""
