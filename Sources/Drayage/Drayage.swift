// A program that embeds Drayage imports this one module: references and digests are part of its interface, and so is
// the registry that it can be.
@_exported public import OCI
@_exported public import RegistryServer
