"""OSCP 2.0: Busbar as flexibility provider."""
