extension FindingFixture {
    /// Custom resources and values of charts.
    static let custom = [
        FindingFixture(
            name: "custom resources",
            text: """
                apiVersion: monitoring.coreos.com/v1
                kind: Prometheus
                metadata: {name: k8s}
                spec:
                  image: quay.io/prometheus/prometheus:v2.54.0
                  version: 2.54.0
                  containers: [{name: proxy, image: quay.io/brancz/kube-rbac-proxy:v0.18.0}]
                ---
                apiVersion: serving.knative.dev/v1
                kind: Service
                metadata: {name: hello}
                spec: {template: {spec: {containers: [{image: "gcr.io/knative/hello"}]}}}
                ---
                apiVersion: argoproj.io/v1alpha1
                kind: Application
                metadata: {name: shop}
                spec:
                  source:
                    helm:
                      valuesObject:
                        image: {registry: quay.io, repository: shop/web, tag: 1.27, pullPolicy: Always}
                    kustomize:
                      images: [quay.io/shop/side:2, {image: "inner:1"}]
                """,
            images: [
                "5 quay.io/prometheus/prometheus:v2.54.0 Prometheus/k8s spec.image",
                "7 quay.io/brancz/kube-rbac-proxy:v0.18.0 Prometheus/k8s spec.containers[0].image",
                "12 gcr.io/knative/hello Service/hello spec.template.spec.containers[0].image",
                "21 quay.io/shop/web:1.27 Application/shop spec.source.helm.valuesObject.image",
                "23 quay.io/shop/side:2 Application/shop spec.source.kustomize.images[0]",
                "23 inner:1 Application/shop spec.source.kustomize.images[1].image",
            ]
        ),
        FindingFixture(
            name: "values of a chart",
            text: """
                image:
                  registry: docker.io
                  repository: bitnami/redis
                  tag: "7.4"
                  digest: ""
                  pullPolicy: IfNotPresent
                  debug: {image: debug:1}
                metrics:
                  image: {repository: quay.io/oliver006/redis_exporter, tag: v1.62.0, digest: sha256:\(digest)}
                images:
                  proxy: quay.io/x/y:1
                  pullPolicy: Always
                  worker: {repository: quay.io/x/worker, tag: 2}
                  enabled: true
                controller.main:
                  image: ~
                sidecar: {image: ""}
                nested: [{image: {init: {image: side:3}}}]
                """,
            images: [
                "3 docker.io/bitnami/redis:7.4 image",
                "7 debug:1 image.debug.image",
                "9 quay.io/oliver006/redis_exporter:v1.62.0@sha256:\(digest) metrics.image",
                "11 quay.io/x/y:1 images.proxy",
                "13 quay.io/x/worker:2 images.worker",
                "18 side:3 nested[0].image.init.image",
            ]
        ),
        FindingFixture(
            name: "a repository that is called image",
            text: """
                controller:
                  image:
                    registry: registry.k8s.io
                    image: ingress-nginx/controller
                    tag: v1.11.2
                "a.b": {image: quay.io/a/b:1}
                """,
            images: [
                "4 registry.k8s.io/ingress-nginx/controller:v1.11.2 controller.image.image",
                "6 quay.io/a/b:1 [\"a.b\"].image",
            ]
        ),
    ]
}
