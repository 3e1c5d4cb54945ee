"""Messaging Layer Security, RFC 9420: pure; no socket, thread, clock or file.

Folders follow the RFC's chapters and import only downwards::

    group → messages → schedule → tree → credential → crypto → {registry, errors, codec}
"""
