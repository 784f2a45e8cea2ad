extension FindingFixture {
    /// The shapes in which images are named by fields of any file.
    static let shapes = [
        FindingFixture(
            name: "a tag beside the image",
            text: """
                controller: {image: bitnami/ctl, tag: 1.0}
                deep: {list: [{registry: quay.io, image: a/b, imageTag: v2, version: 3}]}
                hub: {hub: gcr.io/istio, tag: 1.24, image: pilot}
                both: {image: quay.io/a/c:1, tag: 2, version: 3, registry: other.io}
                host: {image: a/d:1, registry: quay.io}
                digest: {digest: "sha256:\(digest)", image: a/e}
                bare: {image: proxyv2}
                inner: {image: {image: a/f, tag: "1", registry: r.io}}
                """,
            images: [
                "1 bitnami/ctl:1.0 controller.image", "2 quay.io/a/b:v2 deep.list[0].image",
                "3 gcr.io/istio/pilot:1.24 hub.image", "4 quay.io/a/c:1 both.image", "5 quay.io/a/d:1 host.image",
                "6 a/e@sha256:\(digest) digest.image", "7 proxyv2 bare.image", "8 r.io/a/f:1 inner.image.image",
            ]
        ),
        FindingFixture(
            name: "a repository that has its tag in it",
            text: "image: {repository: nginx:1.27, tag: ''}\nx: {image: {registry: r.io, repository: a/b:1}}\n",
            images: ["1 nginx:1.27 image", "2 r.io/a/b:1 x.image"]
        ),
        FindingFixture(
            name: "a mapping with images and other things",
            text: """
                images:
                  proxy: quay.io/x/y:1
                  web: nginx:1.27
                  extra: [quay.io/x/z:2, none]
                  pullSecret: regcred
                  pullSecrets: [regcred]
                  tags: latest
                  version: "1.2"
                  type: docker
                  default_pull_policy: IfNotPresent
                  registry: quay.io:5000/x
                  url: https://quay.io/x
                  home: https://quay.io/y
                """,
            images: ["2 quay.io/x/y:1 images.proxy", "3 nginx:1.27 images.web", "4 quay.io/x/z:2 images.extra[0]"]
        ),
        FindingFixture(
            name: "names in lists",
            text: """
                images:
                - name: busybox:latest
                - {name: quay.io/a/b}
                - {name: web, tag: 1.5}
                - {name: only}
                - {name: x/y, image: quay.io/x/y:1}
                - {name: https://example.com/a}
                """,
            images: [
                "2 busybox:latest images[0].name", "3 quay.io/a/b images[1].name", "4 web:1.5 images[2].name",
                "6 quay.io/x/y:1 images[4].image",
            ]
        ),
        FindingFixture(
            name: "names of images",
            text: """
                a: {image: {name: ruby:3, entrypoint: [""], debug: {image: b:1}}}
                b: {image: {registry: r.io, name: x/y, tag: v1, pullSecret: {name: regcred}}}
                c: {images: {web: {name: z, imageTag: v2}, other: {name: z}}}
                """,
            images: [
                "1 ruby:3 a.image.name", "1 b:1 a.image.debug.image", "2 r.io/x/y:v1 b.image.name",
                "3 z:v2 c.images.web.name",
            ]
        ),
        FindingFixture(
            name: "blank values, and what Istio puts in itself",
            text: """
                {image: ' ', images: [" ", ""], x: {image: {repository: ' '}}}
                ---
                {apiVersion: v1, kind: Pod, spec: {containers: [{image: auto}, {image: 'auto'}, {image: "a:1"}]}}
                ---
                {apiVersion: x.io/v1, kind: X, spec: {template: {spec: {containers: [{image: auto}]}}}}
                """,
            images: ["3 a:1 Pod spec.containers[2].image"]
        ),
    ]

    /// Replacements as kustomizations have them.
    static let replacements = [
        FindingFixture(
            name: "kustomizations that have nothing but images",
            text: """
                namespace: x
                images: [{name: nginx, newTag: "1.25"}]
                ---
                components: [../c]
                images: [{name: a, newName: r.io/b, newTag: v1, tagSuffix: -x}]
                ---
                resources: []
                images: [foo/y:1]
                ---
                kind: Component
                apiVersion: kustomize.config.k8s.io/v1alpha1
                helmCharts: [{valuesInline: {image: {repository: a/b, tag: 1}}}]
                """,
            images: [
                "2 nginx:1.25 images[0]", "5 r.io/b:v1 images[0]", "8 foo/y:1 images[0]",
                "12 a/b:1 Component helmCharts[0].valuesInline.image",
            ]
        ),
        FindingFixture(
            name: "kustomizations of Flux and Argo CD",
            text: """
                apiVersion: kustomize.toolkit.fluxcd.io/v1
                kind: Kustomization
                metadata: {name: shop}
                spec:
                  images:
                  - name: podinfo
                    newName: ghcr.io/x/podinfo
                    newTag: 6.0.0
                  - {name: redis, digest: "sha256:\(digest)"}
                ---
                apiVersion: argoproj.io/v1alpha1
                kind: Application
                spec:
                  source:
                    kustomize:
                      images: ["old=gcr.io/x/new:v3", 'a/b:1=quay.io/a/b@sha256:\(digest)', "c:2"]
                """,
            images: [
                "7 ghcr.io/x/podinfo:6.0.0 Kustomization/shop spec.images[0]",
                "9 redis@sha256:\(digest) Kustomization/shop spec.images[1]",
                "16 gcr.io/x/new:v3 Application spec.source.kustomize.images[0]",
                "16 quay.io/a/b@sha256:\(digest) Application spec.source.kustomize.images[1]",
                "16 c:2 Application spec.source.kustomize.images[2]",
            ]
        ),
    ]

    /// Objects that are easily taken for others.
    static let unusual = [
        FindingFixture(
            name: "groups like those of Kubernetes, and kinds of others in its own",
            text: """
                {apiVersion: kops.k8s.io/v1alpha2, kind: Cluster, spec: {image: "a:1"}}
                ---
                {apiVersion: v1, kind: Template, objects: [{spec: {containers: [{image: "b:1"}]}}]}
                ---
                {apiVersion: v1, kind: DeploymentConfig, spec: {template: {spec: {containers: [{image: "c:1"}]}}}}
                ---
                {apiVersion: apps/v1, kind: Other, spec: {image: "d:1"}}
                ---
                {apiVersion: v1, kind: PersistentVolume, spec: {rbd: {image: none}}}
                """,
            images: [
                "1 a:1 Cluster spec.image", "3 b:1 Template objects[0].spec.containers[0].image",
                "5 c:1 DeploymentConfig spec.template.spec.containers[0].image", "7 d:1 Other spec.image",
            ]
        ),
        FindingFixture(
            name: "values of a chart with services",
            text: "services: {web: {image: {repository: a/b, tag: 1}}}\nreplicas: 1\nother: {image: c:1}\n",
            images: ["1 a/b:1 services.web.image", "3 c:1 other.image"]
        ),
        FindingFixture(
            name: "volumes that are images",
            text: """
                {apiVersion: x.io/v1, kind: X, spec: {volumes: [{image: {reference: quay.io/x/y:v1}}, {rbd: {image: z}}]}}
                ---
                services: {a: {image: b:1, volumes: [{type: image, source: foo/data:1}, {source: no/data:1}, v:/x]}}
                """,
            images: ["1 quay.io/x/y:v1 X spec.volumes[0].image.reference"]
                + ["3 b:1 service a services.a.image", "3 foo/data:1 service a services.a.volumes[0].source"]
        ),
        FindingFixture(
            name: "a merge key in a container",
            text: """
                apiVersion: v1
                kind: Pod
                metadata: {labels: &labels {image: none}}
                x-spec: &spec {image: quay.io/merged:1}
                x-other: {image: quay.io/other:1}
                x-volume: &volume {name: v, image: {reference: quay.io/data:1}}
                spec: {containers: [{name: x, <<: *spec}], volumes: [*volume, {rbd: {image: none}}]}
                """,
            images: ["4 quay.io/merged:1 Pod x-spec.image", "6 quay.io/data:1 Pod x-volume.image.reference"]
        ),
    ]
}
