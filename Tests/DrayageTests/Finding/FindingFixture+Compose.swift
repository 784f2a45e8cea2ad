extension FindingFixture {
    /// Compose files.
    static let compose = [
        FindingFixture(
            name: "a Compose file",
            text: """
                x-logging: &logging
                  driver: json-file
                x-base: &base
                  image: quay.io/shop/base:1
                  logging: *logging
                x-version: &version "postgres:16"
                x-other: {image: not/anchored:1}
                services:
                  web:
                    build: .
                    image: shop/web:dev # built
                  worker:
                    <<: *base
                    labels: {image: not/this:1}
                  db:
                    image: *version
                  cache: &cache
                    image: redis
                  empty:
                    image: !reset null
                volumes:
                  data: {}
                """,
            images: [
                "4 quay.io/shop/base:1 x-base.image",
                "11 shop/web:dev service web services.web.image",
                "16 postgres:16 service db services.db.image",
                "18 redis service cache services.cache.image",
            ]
        )
    ]

    /// Kustomizations.
    static let kustomizations = [
        FindingFixture(
            name: "a kustomization",
            text: """
                apiVersion: kustomize.config.k8s.io/v1beta1
                kind: Kustomization
                resources: [deploy.yaml]
                images:
                - name: nginx # the front
                  newTag: "1.27"
                - newTag: v2
                  newName: registry.example.com/app
                  name: app
                - {name: quay.io/x/y, digest: "sha256:\(digest)"}
                patches: [{patch: "image: no/image:1"}]
                """,
            images: [
                "5 nginx:1.27 Kustomization images[0]",
                "8 registry.example.com/app:v2 Kustomization images[1]",
                "10 quay.io/x/y@sha256:\(digest) Kustomization images[2]",
            ]
        ),
        FindingFixture(
            name: "a kustomization that does not say so",
            text: "bases:\n  - ../base\nimages:\n  - name: a\n    newTag: 3\n",
            images: ["4 a:3 images[0]"]
        ),
        FindingFixture(
            name: "a kustomization without a kind",
            text: "apiVersion: kustomize.config.k8s.io/v1beta1\nimages:\n- {name: a, newTag: v3}\n",
            images: ["3 a:v3 images[0]"]
        ),
        FindingFixture(
            name: "a kustomization in JSON",
            text: #"{"kind": "Kustomization", "images": [{"name": "a", "newTag": "1"}]}"#,
            images: ["1 a:1 Kustomization images[0]"]
        ),
    ]

    /// Plain lists, and lists in YAML.
    static let lists = [
        FindingFixture(
            name: "a plain list",
            text: "\u{feff}# images\r\n\r\n  alpine:3.20\t# größe\r\nquay.io/a/b\r\n",
            images: ["3 alpine:3.20", "4 quay.io/a/b"]
        ),
        FindingFixture(
            name: "a sequence",
            text: "- alpine:3.20\n- 'quay.io/a/b'\n- image: inner:1\n- [nested:1]\n- c:1\n",
            images: ["1 alpine:3.20 [0]", "2 quay.io/a/b [1]", "3 inner:1 image", "5 c:1 [4]"]
        ),
        FindingFixture(
            name: "JSON with escapes of two halves",
            text: #"{"a": "\ud83D\uDE00 \u00e9", "image": "quay.io\/a\/b:1"}"#,
            images: ["1 quay.io/a/b:1 image"]
        ),
        FindingFixture(
            name: "a sequence in JSON",
            text: #"["alpine:3.20", "quay.io/a/b:1"]"#,
            images: ["1 alpine:3.20 [0]", "1 quay.io/a/b:1 [1]"]
        ),
    ]
}
