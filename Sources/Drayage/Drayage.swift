// A program that embeds Drayage imports this one module: references and digests are part of its interface.
@_exported public import OCI
