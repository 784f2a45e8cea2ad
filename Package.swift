// swift-tools-version: 6.2

import PackageDescription

/// What every target is held to.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

/// Sources only: in tests every pointer would be a note to nobody.
let sourceSettings = settings + [.strictMemorySafety()]

let package = Package(
    name: "drayage",
    products: [
        .executable(name: "drayage", targets: ["DrayageCLI"]),
        .library(name: "Drayage", targets: ["Drayage"]),
    ],
    dependencies: [
        .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system.git", exact: "1.8.1"),
        // Without its trait for Foundation, which would make the command half as large again.
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", exact: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(name: "CLibArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "CLinux"),

        .target(name: "OCI", dependencies: ["CLibCrypto"], swiftSettings: sourceSettings),
        .target(name: "Archive", dependencies: ["CLibArchive", "CZlib"], swiftSettings: sourceSettings),
        .target(name: "YAML", dependencies: ["CYAML"], swiftSettings: sourceSettings),
        .target(name: "ImageLayout", dependencies: ["OCI", "Archive", "CLinux"], swiftSettings: sourceSettings),
        .target(
            name: "RegistryClient",
            dependencies: [
                "OCI", "CLibCrypto",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: sourceSettings
        ),
        .target(name: "RegistryDirectory", dependencies: ["OCI", "CLinux"], swiftSettings: sourceSettings),
        .target(
            name: "RegistryServer",
            dependencies: [
                "OCI", "ImageLayout", "RegistryDirectory", "CCrypt", "CLibCrypto",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: sourceSettings
        ),
        .target(
            name: "Drayage",
            dependencies: [
                "OCI", "ImageLayout", "RegistryClient", "RegistryServer", "RegistryDirectory", "YAML",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sourceSettings
        ),
        .executableTarget(
            name: "DrayageCLI",
            dependencies: [
                "Drayage", "OCI", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sourceSettings
        ),

        .target(
            name: "TestSupport",
            dependencies: ["OCI", "CZlib", "CLibCrypto"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(
            name: "RegistryTestSupport",
            dependencies: [
                "RegistryServer", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/RegistryTestSupport",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "make-images",
            dependencies: ["TestSupport"],
            path: "fixtures/make-images",
            swiftSettings: settings
        ),
        .testTarget(name: "OCITests", dependencies: ["OCI", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "ArchiveTests", dependencies: ["Archive", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "YAMLTests", dependencies: ["YAML", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "ImageLayoutTests", dependencies: ["ImageLayout", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "RegistryClientTests",
            dependencies: [
                "RegistryClient", "TestSupport", "RegistryTestSupport",
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RegistryDirectoryTests",
            dependencies: ["RegistryDirectory", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RegistryServerTests",
            dependencies: ["RegistryServer", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DrayageTests",
            dependencies: ["Drayage", "TestSupport", "RegistryTestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "CommandTests", dependencies: ["DrayageCLI", "TestSupport"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
